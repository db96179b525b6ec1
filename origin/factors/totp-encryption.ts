import type { Encryption } from '../keys/encryption.ts'

type TotpTable = 'totp_secrets' | 'totp_enrolments'

/** The name that is authenticated with an encrypted secret of TOTP. */
const nameOf = (table: TotpTable, userId: string) => `${table}:${userId}`

export const encryptTotp = (encryption: Encryption, table: TotpTable, userId: string, secret: string) =>
  encryption.encrypt(nameOf(table, userId), secret)

/** @throws Error where KEY_ENCRYPTION_KEY does not decrypt the secret */
export const decryptTotp = (
  encryption: Encryption,
  table: TotpTable,
  userId: string,
  encrypted: Uint8Array,
) => encryption.decrypt(nameOf(table, userId), encrypted)
