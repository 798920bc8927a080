// A gRPC server and client by @grpc/grpc-js, without a proto file: `grpc-peer.mjs server`, `grpc-peer.mjs client HOST:PORT`.
import grpc from '@grpc/grpc-js'

const bytes = (text) => Buffer.from(text)
const text = {
  requestSerialize: bytes,
  responseSerialize: bytes,
  requestDeserialize: String,
  responseDeserialize: String,
}
const service = {
  hello: { path: '/test.Greeter/Hello', requestStream: false, responseStream: false, ...text },
  chat: { path: '/test.Greeter/Chat', requestStream: true, responseStream: true, ...text },
}

if (process.argv[2] === 'server') {
  const server = new grpc.Server()
  server.addService(service, {
    hello: (call, done) => done(null, `hello ${call.request}`),
    chat: (call) => call.on('data', (word) => call.write(`hello ${word}`)).on('end', () => call.end()),
  })
  server.bindAsync('0.0.0.0:5000', grpc.ServerCredentials.createInsecure(), () => undefined)
} else {
  const Client = grpc.makeGenericClientConstructor(service, 'Greeter')
  const client = new Client(process.argv[3], grpc.credentials.createInsecure())
  const deadline = Date.now() + 10_000
  const first = await new Promise((done, fail) => {
    client.hello('mesh', { deadline }, (error, answer) => (error === null ? done(answer) : fail(error)))
  })
  const chat = client.chat({ deadline })
  chat.write('again')
  chat.end()
  for await (const second of chat) console.log(`${first}, ${second}`)
  client.close()
}
