/** grpc-js as a server of the one method, which gives back what it got. In: a port. */
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { handleUnaryCall } from '@grpc/grpc-js'
import { GRPC_METHOD_PATH } from './method.ts'

const same = (bytes: Buffer): Buffer => bytes
const unary: handleUnaryCall<Buffer, Buffer> = (call, callback) => callback(null, call.request)

const server = new Server()
server.addService(
  {
    unary: {
      path: GRPC_METHOD_PATH,
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  },
  { unary },
)
server.bindAsync(`127.0.0.1:${process.argv[2] ?? 0}`, ServerCredentials.createInsecure(), (error) => {
  if (error === null) return
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
})
