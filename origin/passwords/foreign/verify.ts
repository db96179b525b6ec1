import { argon2Sync, createCipheriv, pbkdf2Sync, scryptSync, timingSafeEqual } from 'node:crypto'
import bcrypt from 'bcryptjs'
import { mostMemoryMib } from './bounds.ts'
import type { ForeignHash } from './foreign-hash.ts'

/** More than a hash may need, which is bounded when it is imported. */
const maxmem = 2 * mostMemoryMib * 1024 * 1024

const zeroIv = Buffer.alloc(16)
const aesKeyBytes = 32

/** Whether the text hashes to it, byte for byte: no normalization, no key of ours. */
export function verifyForeignHash(text: string, hash: ForeignHash): boolean {
  switch (hash.scheme) {
    case 'bcrypt':
      return bcrypt.compareSync(text, hash.text)
    case 'argon2id': {
      // Node's own frees its memory at once. V8 keeps that of a WebAssembly module until it
      // collects all garbage, and counts none of it: failed logins would use up the memory.
      const { salt, lanes, memoryKib, passes } = hash
      const options = { message: text, nonce: salt, parallelism: lanes, memory: memoryKib, passes }
      return isSame(hash.hash, argon2Sync('argon2id', { ...options, tagLength: hash.hash.length }))
    }
    case 'scrypt': {
      const { logN, r, p } = hash
      return isSame(hash.hash, scryptSync(text, hash.salt, hash.hash.length, { N: 2 ** logN, r, p, maxmem }))
    }
    case 'firebase-scrypt': {
      const { logN, r, keystream } = hash
      const key = scryptSync(text, hash.salt, aesKeyBytes, { N: 2 ** logN, r, p: 1, maxmem })
      return isSame(
        keystream,
        createCipheriv('aes-256-ctr', key, zeroIv).update(Buffer.alloc(keystream.length)),
      )
    }
    case 'pbkdf2':
      return isSame(hash.hash, pbkdf2Sync(text, hash.salt, hash.iterations, hash.hash.length, hash.digest))
  }
}

const isSame = (one: Uint8Array, other: Uint8Array) =>
  one.length === other.length && timingSafeEqual(one, other)
