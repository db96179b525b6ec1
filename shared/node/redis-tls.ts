import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { type RedisTarget, RedisUrlError } from '../redis-url.ts'

interface RedisTls {
  ca?: string
  cert?: string
  key?: string
}

/**
 * TLS options for Redis beside Node's own authorities; undefined without TLS.
 *
 * @throws RedisUrlError where a file cannot be used
 */
export function redisTls({ isTls, caFile, certFile, keyFile }: RedisTarget): RedisTls | undefined {
  if (!isTls) return undefined
  const tls = {
    ...(caFile !== undefined && { ca: read('ca_file', caFile) }),
    ...(certFile !== undefined && { cert: read('cert_file', certFile) }),
    ...(keyFile !== undefined && { key: read('key_file', keyFile) }),
  }
  try {
    // OpenSSL ignores anything but certificates, and would then trust none.
    if (tls.ca !== undefined) new X509Certificate(tls.ca)
    createSecureContext(tls)
  } catch {
    throw new RedisUrlError('its files are no certificates in PEM, or cert_file and key_file no pair')
  }
  return tls
}

function read(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new RedisUrlError(`${option} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
