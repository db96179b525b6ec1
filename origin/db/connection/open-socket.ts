import { once } from 'node:events'
import { isIP, type Socket, connect as tcpConnect } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, connect as tlsConnect } from 'node:tls'
import type { DatabaseHost, TlsMode } from '../../../shared/database-url.ts'

/** The files are read when the pool is made. */
export interface TlsSettings {
  mode: TlsMode
  direct: boolean
  ca?: string
  cert?: string
  key?: string
}

/** Asks whether the server has TLS (PostgreSQL documentation, 54.2.11). */
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
const yes = 'S'.charCodeAt(0)
const no = 'N'.charCodeAt(0)

/** A server that cannot be reached as the URL asks for; the cause says why. */
export class DatabaseConnectError extends Error {
  readonly code = 'DATABASE_CONNECT_FAILED'
}

/**
 * Opens a connection to one host, encrypted as the mode says, before PostgreSQL's own protocol
 * begins.
 *
 * @throws DatabaseConnectError at the signal too
 */
export async function openSocket(
  address: DatabaseHost,
  tls: TlsSettings,
  signal: AbortSignal,
): Promise<Socket> {
  const { host, port } = address
  const isUnix = host.startsWith('/')
  const socket = isUnix ? tcpConnect({ path: `${host}/.s.PGSQL.${port}` }) : tcpConnect({ host, port })
  socket.setNoDelay(true)
  try {
    await eventOf(socket, 'connect', signal)
    if (isUnix || tls.mode === 'disable') return socket
    if (!tls.direct && !(await hasTls(socket, signal))) {
      if (tls.mode === 'prefer') return socket
      throw new Error('the server has no TLS')
    }
    const encrypted = tlsConnect({ socket, ...tlsOptions(host, tls) })
    await eventOf(encrypted, 'secureConnect', signal)
    return encrypted
  } catch (error) {
    socket.destroy()
    const reason = signal.aborted ? 'no connection in time' : (error as Error).message
    throw new DatabaseConnectError(`${host}:${port}: ${reason}`, { cause: error })
  }
}

/** Rejects when the socket ends first: that may be without an error. */
async function eventOf(socket: Socket, name: string, signal: AbortSignal): Promise<unknown[]> {
  const ended = new AbortController()
  const onClose = () => ended.abort(new Error('the server closed the connection'))
  socket.once('close', onClose)
  try {
    return await once(socket, name, { signal: AbortSignal.any([signal, ended.signal]) })
  } catch (error) {
    // `once` hides the reason behind an AbortError; a late error has no other listener.
    socket.on('error', () => {})
    throw ended.signal.aborted ? ended.signal.reason : error
  } finally {
    socket.off('close', onClose)
  }
}

/** @throws Error for more than one byte: it was put there before TLS began (CVE-2021-23222) */
async function hasTls(socket: Socket, signal: AbortSignal): Promise<boolean> {
  const answered = eventOf(socket, 'data', signal)
  socket.write(sslRequest)
  const [answer] = (await answered) as [Buffer]
  if (answer.length === 1 && (answer[0] === yes || answer[0] === no)) return answer[0] === yes
  throw new Error('it does not speak the protocol of PostgreSQL')
}

function tlsOptions(host: string, { mode, direct, ca, cert, key }: TlsSettings): ConnectionOptions {
  return {
    ...(isIP(host) === 0 && { servername: host }),
    ...(direct && { ALPNProtocols: ['postgresql'] }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert, key }),
    rejectUnauthorized: mode === 'verify-ca' || mode === 'verify-full',
    checkServerIdentity: (_, certificate) =>
      mode === 'verify-full' ? checkServerIdentity(host, certificate) : undefined,
  }
}
