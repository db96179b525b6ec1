import { createServer } from 'node:net'

/**
 * The product behind the gateway for a load of which it must cost little, as a process: it reads
 * whole requests without a body from the socket and says whom the gateway named. It believes the
 * assertion without verifying its signature, which every real product does.
 */

/** As long as a short JSON answer of an API is. */
const filler = 'x'.repeat(220)

const headEnd = '\r\n\r\n'
const assertion = /\r\ngatehouse-assertion: *[\w-]+\.([\w-]+)\./i
const subject = /"sub":"([\w-]+)"/

function answerTo(head: string): string {
  const claims = assertion.exec(head)?.[1]
  const user = claims && subject.exec(Buffer.from(claims, 'base64url').toString('latin1'))?.[1]
  const body = JSON.stringify({ user_id: user ?? null, filler })
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

const server = createServer({ noDelay: true }, (socket) => {
  let rest = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    rest += chunk
    for (let end = rest.indexOf(headEnd); end !== -1; end = rest.indexOf(headEnd)) {
      const head = rest.slice(0, end)
      rest = rest.slice(end + headEnd.length)
      socket.write(answerTo(head))
    }
  })
  // Clients cut their connections when they end.
  socket.on('error', () => socket.destroy())
})
server.listen(Number(process.argv[2]), '127.0.0.1')
process.once('SIGTERM', () => process.exit(0))
