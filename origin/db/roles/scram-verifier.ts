import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

/** PostgreSQL's own default, of RFC 7677. */
const iterations = 4096
const saltBytes = 16

const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest()

/**
 * The form in which PostgreSQL stores a password of SCRAM-SHA-256 (RFC 5803): the server logs
 * changes of roles, and would log the password.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(saltBytes)): string {
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256')
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64')
  const serverKey = hmac(salted, 'Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}
