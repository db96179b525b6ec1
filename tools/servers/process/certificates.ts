import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findProgram } from '../programs/find-program.ts'
import { run } from './run.ts'
import { createTemporaryFolder, removeFolder } from './temporary-folder.ts'

export interface Certificates {
  /** The authority that signed both others, and that no client trusts by default. */
  caFile: string
  /** Of a server on 127.0.0.1 or localhost. */
  certFile: string
  keyFile: string
  clientCertFile: string
  clientKeyFile: string
  remove(): Promise<void>
}

const days = '2'

/** A private certificate authority with a server's and a client's certificate. */
export async function createCertificates(): Promise<Certificates> {
  const { command, env } = await findProgram({ names: ['openssl'], apt: 'openssl', homebrew: 'openssl' })
  const folder = await createTemporaryFolder('certificates')
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => run(command, args, { env, cwd: folder })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

  await openssl(
    ...['req', '-x509', ...newKey, '-days', days, '-subj', '/CN=Test CA'],
    ...['-keyout', 'ca.key', '-out', 'ca.pem'],
  )

  async function sign(name: string, extensions: string) {
    await writeFile(file(`${name}.ext`), extensions)
    await openssl(
      ...['req', ...newKey, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`],
    )
    await openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-days', days, '-extfile', `${name}.ext`, '-out', `${name}.pem`],
    )
  }
  await sign('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
  await sign('client', 'extendedKeyUsage=clientAuth\n')

  return {
    caFile: file('ca.pem'),
    certFile: file('server.pem'),
    keyFile: file('server.key'),
    clientCertFile: file('client.pem'),
    clientKeyFile: file('client.key'),
    remove: () => removeFolder(folder),
  }
}

/** TLS options of Node for a client that has the certificate. */
export function clientTls({ caFile, clientCertFile, clientKeyFile }: Certificates) {
  const [ca, cert, key] = [caFile, clientCertFile, clientKeyFile].map((file) => readFileSync(file, 'utf8'))
  return { ca, cert, key } as { ca: string; cert: string; key: string }
}
