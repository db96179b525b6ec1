import cluster from 'node:cluster'
import { createServer } from 'node:http'

/**
 * A server of `bench:processes`: one of COUNT processes on PORT, which answers with its process id.
 * METHOD is how connections reach it. Prints a line when all processes listen.
 */

const { METHOD: method = '', COUNT: count = '1', PORT: port = '' } = process.env

function listen(): void {
  const server = createServer((_request, response) => response.end(`${process.pid}`))
  server.keepAliveTimeout = 60_000
  // The cluster module emits no 'listening' for sockets of their own.
  server.listen({ port: Number(port), host: '127.0.0.1', reusePort: method === 'reusePort' }, () => {
    if (process.send) process.send('listening')
    else process.stdout.write('ready\n')
  })
}

if (method !== 'one process' && cluster.isPrimary) {
  cluster.schedulingPolicy = method === 'round robin' ? cluster.SCHED_RR : cluster.SCHED_NONE
  for (let number = 0; number < Number(count); number++) cluster.fork()
  let listening = 0
  cluster.on('message', () => {
    if (++listening === Number(count)) process.stdout.write('ready\n')
  })
} else listen()
