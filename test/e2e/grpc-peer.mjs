// A gRPC server and client by @grpc/grpc-js, without a proto file: `grpc-peer.mjs server [GREETING]`,
// `grpc-peer.mjs client HOST:PORT`, and one call: `grpc-peer.mjs call HOST:PORT WORD [KEY=VALUE]` prints the answer or
// the status.
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
  const greeting = process.argv[3] ?? 'hello'
  server.addService(service, {
    hello: (call, done) => done(null, `${greeting} ${call.request}`),
    chat: (call) => call.on('data', (word) => call.write(`${greeting} ${word}`)).on('end', () => call.end()),
  })
  server.bindAsync('0.0.0.0:5000', grpc.ServerCredentials.createInsecure(), () => undefined)
} else {
  const Client = grpc.makeGenericClientConstructor(service, 'Greeter')
  const client = new Client(process.argv[3], grpc.credentials.createInsecure())
  const deadline = Date.now() + 10_000
  if (process.argv[2] === 'call') {
    const metadata = new grpc.Metadata()
    const [, key, value] = /^(.*?)=(.*)$/.exec(process.argv[5] ?? '') ?? []
    if (key !== undefined) metadata.set(key, value)
    const [name, word] = process.argv[4] === 'chat' ? ['chat', 'again'] : ['hello', process.argv[4]]
    const call = name === 'chat' ? client.chat(metadata, { deadline }) : undefined
    const answer = await new Promise((done) => {
      const end = (error, reply) => done(error === null ? reply : `status ${error.code}`)
      if (call === undefined) client.hello(word, metadata, { deadline }, end)
      else
        call
          .on('data', (reply) => end(null, reply))
          .on('error', (error) => end(error))
          .end(word)
    })
    console.log(answer)
    process.exit(0)
  }
  const first = await new Promise((done, fail) => {
    client.hello('mesh', { deadline }, (error, answer) => (error === null ? done(answer) : fail(error)))
  })
  const chat = client.chat({ deadline })
  chat.write('again')
  chat.end()
  for await (const second of chat) console.log(`${first}, ${second}`)
  client.close()
}
