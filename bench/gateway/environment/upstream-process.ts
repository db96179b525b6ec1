import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/**
 * The service behind every contender: it writes one response of 300 bytes straight to the socket,
 * which costs next to nothing. It supports requests without a body only. Over IPC it reports the
 * number of requests and the head of the last one.
 */

const bodyBytes = 300
const body = JSON.stringify({ reports: [], filler: '' }).replace('""', `"${'.'.repeat(bodyBytes - 26)}"`)
const answer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
const headEnd = '\r\n\r\n'

let answered = 0
let lastHead = ''

const server = createServer({ noDelay: true }, (socket) => {
  let rest = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    rest += chunk
    for (let end = rest.indexOf(headEnd); end !== -1; end = rest.indexOf(headEnd)) {
      lastHead = rest.slice(0, end)
      rest = rest.slice(end + headEnd.length)
      answered++
      socket.write(answer)
    }
  })
  // A load that ends cuts its connections, and contenders cut theirs to us.
  socket.on('error', () => socket.destroy())
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

process.on('message', () => process.send?.({ answered, lastHead }))
process.on('disconnect', () => process.exit())
process.send?.({ port: (server.address() as AddressInfo).port })
