import type { ForeignHash, Pbkdf2Digest } from './foreign-hash.ts'

export type ImportedHash = { kind: 'read'; hash: ForeignHash } | { kind: 'rejected'; reason: string }

const rejected = (reason: string): ImportedHash => ({ kind: 'rejected', reason })
const read = (hash: ForeignHash): ImportedHash => ({ kind: 'read', hash })

/** Bytes. A shorter hash is matched by other passwords, and no scheme has longer ones. */
const hashBytes = { least: 16, most: 64 }
const saltBytes = { least: 1, most: 64 }
/** Of argon2 (RFC 9106, section 3.1). */
const leastArgon2Salt = 8
/** Each lane is a thread of the system, of which a container may have few. */
const mostLanes = 64
/** No implementation has a lower cost: verifying one fails. */
const leastBcryptCost = 4
/** Bytes of the signer key of a Firebase project: it has 64. */
const signerKeyBytes = { least: 16, most: 128 }

type Reader = (fields: readonly string[]) => ImportedHash

/** By the first field of the text. */
const readers: Readonly<Record<string, Reader>> = {
  argon2id: readArgon2,
  scrypt: readScrypt,
  'firebase-scrypt': readFirebaseScrypt,
  pbkdf2: (fields) => readPbkdf2('sha1', fields),
  'pbkdf2-sha1': (fields) => readPbkdf2('sha1', fields),
  'pbkdf2-sha256': (fields) => readPbkdf2('sha256', fields),
  'pbkdf2-sha512': (fields) => readPbkdf2('sha512', fields),
}

const forms =
  'bcrypt ($2a$, $2b$, $2y$), $argon2id$, $scrypt$, $firebase-scrypt$, $pbkdf2-sha256$ (sha1, sha512), ' +
  'pbkdf2_sha256$ of Django, or ASP.NET Identity v3'

/** Reads a password hash in one of the forms that docs/migration.md lists. */
export function readImportedHash(text: string): ImportedHash {
  if (text.startsWith('$2')) return readBcrypt(text)
  const django = /^pbkdf2_(sha1|sha256|sha512)\$/.exec(text)
  if (django) return readDjango(django[1] as Pbkdf2Digest, text.split('$').slice(1))
  if (/^AQAAAA/.test(text)) return readAspNet(text)
  const [empty, name = '', ...fields] = text.split('$')
  const reader = empty === '' && Object.hasOwn(readers, name) ? readers[name] : undefined
  return reader ? reader(fields) : rejected(`is in no form that can be imported: ${forms}`)
}

function readBcrypt(text: string): ImportedHash {
  const [, cost] = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(text) ?? []
  if (cost === undefined)
    return rejected('is no bcrypt hash: $2a$, $2b$ or $2y$, a cost of two digits, and 53 characters')
  if (Number(cost) < leastBcryptCost) return rejected(`has a cost of less than ${leastBcryptCost}`)
  return read({ scheme: 'bcrypt', cost: Number(cost), text })
}

/** `$argon2id$v=19$m=65536,t=3,p=4$salt$hash` */
function readArgon2(fields: readonly string[]): ImportedHash {
  const [version, ...rest] = fields
  if (version !== 'v=19') return rejected('is of an argon2 version other than v=19')
  const found = readPhc(rest, ['m', 't', 'p'])
  if (found.kind === 'rejected') return found
  const { numbers, salt, hash } = found
  const [memoryKib = 0, passes = 0, lanes = 0] = numbers
  if (salt.length < leastArgon2Salt) return rejected(`has a salt of less than ${leastArgon2Salt} bytes`)
  if (lanes > mostLanes) return rejected(`has more than ${mostLanes} lanes (p)`)
  if (memoryKib < 8 * lanes) return rejected('has less memory (m) than 8 KiB for each lane (p)')
  return read({ scheme: 'argon2id', memoryKib, passes, lanes, salt, hash })
}

/** `$scrypt$ln=15,r=8,p=1$salt$hash` */
function readScrypt(fields: readonly string[]): ImportedHash {
  const found = readPhc(fields, ['ln', 'r', 'p'])
  if (found.kind === 'rejected') return found
  const { numbers, salt, hash } = found
  const [logN = 0, r = 0, p = 0] = numbers
  return whyNoScrypt(logN, r) ?? read({ scheme: 'scrypt', logN, r, p, salt, hash })
}

/** RFC 7914, section 2: verifying one of a higher N fails. */
const whyNoScrypt = (logN: number, r: number): ImportedHash | undefined =>
  logN < 16 * r
    ? undefined
    : rejected('has a cost (ln) that is too high for its r: N must be less than 2^(16 r)')

/** `$firebase-scrypt$ln=14,r=8,ss=<salt separator>,k=<signer key>$salt$hash` */
function readFirebaseScrypt([parameters = '', ...rest]: readonly string[]): ImportedHash {
  const [, numbers = '', separatorText, keyText] =
    /^(.*),ss=([A-Za-z0-9+/]*={0,2}),k=([A-Za-z0-9+/]+={0,2})$/.exec(parameters) ?? []
  const separator = bytesOf(separatorText)
  const key = bytesOf(keyText)
  if (!separator || !key) return rejected('has not the parameters ln, r, ss, k in this order')
  if (!isWithin(key.length, signerKeyBytes)) return rejected('has a signer key (k) of another length')
  const found = readPhc([numbers, ...rest], ['ln', 'r'], signerKeyBytes)
  if (found.kind === 'rejected') return found
  if (found.hash.length !== key.length) return rejected('has a hash of another length than its signer key')
  const [logN = 0, r = 0] = found.numbers
  const salt = Buffer.concat([found.salt, separator])
  const keystream = Buffer.from(found.hash.map((byte, index) => byte ^ (key[index] ?? 0)))
  return whyNoScrypt(logN, r) ?? read({ scheme: 'firebase-scrypt', logN, r, salt, keystream })
}

/** `$pbkdf2-sha256$i=27500$salt$hash`, also without `i=` as passlib writes it. */
function readPbkdf2(digest: Pbkdf2Digest, [parameters = '', ...rest]: readonly string[]): ImportedHash {
  const found = readPhc([parameters.replace(/^(?:i=)?/, 'i='), ...rest], ['i'])
  if (found.kind === 'rejected') return found
  const [iterations = 0] = found.numbers
  return read({ scheme: 'pbkdf2', digest, iterations, salt: found.salt, hash: found.hash })
}

/** `pbkdf2_sha256$600000$salt$hash`: the salt is text. */
function readDjango(digest: Pbkdf2Digest, [count = '', saltText = '', ...rest]: readonly string[]) {
  return readPbkdf2(digest, [count, Buffer.from(saltText, 'utf8').toString('base64'), ...rest])
}

const aspNetDigests: readonly Pbkdf2Digest[] = ['sha1', 'sha256', 'sha512']
/** A byte of the version, then four bytes each: digest, iterations, length of the salt. */
const aspNetHead = 13

function readAspNet(text: string): ImportedHash {
  const bytes = bytesOf(text)
  if (!bytes || bytes.length < aspNetHead) return rejected('is no hash of ASP.NET Identity v3')
  const digest = aspNetDigests[bytes.readUInt32BE(1)]
  const iterations = bytes.readUInt32BE(5)
  const saltEnd = aspNetHead + bytes.readUInt32BE(9)
  const [salt, hash] = [bytes.subarray(aspNetHead, saltEnd), bytes.subarray(saltEnd)]
  if (!digest || iterations < 1 || !isWithin(salt.length, saltBytes) || !isWithin(hash.length, hashBytes))
    return rejected('is no hash of ASP.NET Identity v3')
  return read({ scheme: 'pbkdf2', digest, iterations, salt, hash })
}

type Phc =
  | { kind: 'found'; numbers: number[]; salt: Buffer; hash: Buffer }
  | { kind: 'rejected'; reason: string }

/**
 * Parameters, salt and hash of the PHC string format. The parameters are numbers in the order of
 * `names`.
 */
function readPhc(fields: readonly string[], names: readonly string[], lengths = hashBytes): Phc {
  const [parameters = '', saltText, hashText, ...more] = fields
  const pattern = new RegExp(`^${names.map((name) => `${name}=([1-9]\\d{0,9})`).join(',')}$`)
  const [, ...numbers] = pattern.exec(parameters) ?? []
  if (numbers.length === 0)
    return { kind: 'rejected', reason: `has not the parameters ${names.join(', ')} in this order` }
  const [salt, hash] = [bytesOf(saltText), bytesOf(hashText)]
  if (more.length > 0 || !salt || !hash) return { kind: 'rejected', reason: 'has no salt and hash in base64' }
  if (!isWithin(salt.length, saltBytes))
    return { kind: 'rejected', reason: `has a salt of less than 1 or more than ${saltBytes.most} bytes` }
  if (!isWithin(hash.length, lengths))
    return {
      kind: 'rejected',
      reason: `has a hash of less than ${lengths.least} or more than ${lengths.most} bytes`,
    }
  return { kind: 'found', numbers: numbers.map(Number), salt, hash }
}

const isWithin = (length: number, { least, most }: { least: number; most: number }) =>
  length >= least && length <= most

/** Base64 with or without padding; passlib writes `.` for `+`. */
function bytesOf(text: string | undefined): Buffer | undefined {
  if (text === undefined || !/^[A-Za-z0-9+/.]*={0,2}$/.test(text)) return undefined
  const bare = text.replace(/=+$/, '')
  return bare.length % 4 === 1 ? undefined : Buffer.from(bare.replaceAll('.', '+'), 'base64')
}
