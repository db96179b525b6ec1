import { describe, expect, test } from 'vitest'
import { formatForeignHash, isForeignHash, readForeignHash } from './foreign-hash.ts'
import { readImportedHash } from './import-forms.ts'
import { verifyForeignHash } from './verify.ts'

const password = 'correct horse battery'

/**
 * Hashes of other programs: bcrypt 5.0, argon2-cffi 25.1, passlib 1.7.4, Django 5.2 and hashlib of
 * Python 3.11. That of Firebase is published with firebase/scrypt.
 */
const vectors: [form: string, scheme: string, text: string, password?: string][] = [
  ['bcrypt 2a', 'bcrypt', '$2a$05$TfjoVtH8E4t0WKyZJ8YaqusgVsx/X1yvGH/lYQCpVrsLckLtoBbhC'],
  ['bcrypt 2b', 'bcrypt', '$2b$06$DHB.8cFqnjc0kMZvAsUD2enNGk2gWlT0hNvn5X2qmV8EFMzAfMI3.'],
  ['bcrypt 2y, which PHP writes', 'bcrypt', '$2y$06$DHB.8cFqnjc0kMZvAsUD2enNGk2gWlT0hNvn5X2qmV8EFMzAfMI3.'],
  [
    'bcrypt of more than its 72 bytes',
    'bcrypt',
    '$2b$05$3r33yJDUI8yyJ2N6QG4LDurbOlow5xE.I5czLcVr2huEJ8FLUpmIG',
    'x'.repeat(100),
  ],
  [
    'argon2id of two lanes',
    'argon2id',
    '$argon2id$v=19$m=8192,t=2,p=2$GkW+FsdC+cbr45fp55OAug$jKLceGNWCFKZnfCpLqJKi0ZoJi8YsKiQZK0jJUJQpx0',
  ],
  [
    'scrypt',
    'scrypt',
    '$scrypt$ln=12,r=8,p=1$MkYohdC6tzaG0BoDIKRUqg$OOEN8oHPE+IOaLT3VHPv+vpl4ur18jSrt8NKw1PiwRE',
  ],
  [
    'scrypt of Firebase',
    'firebase-scrypt',
    '$firebase-scrypt$ln=14,r=8,ss=Bw==,k=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==' +
      '$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
    'user1password',
  ],
  [
    'PBKDF2 of passlib',
    'pbkdf2',
    '$pbkdf2-sha256$2000$jvE.h3BuTYnx/t9ba01prQ$LA.Kp2tbxESP/uC.Jg9YJ5gjuY2bkjqFfq5JxCl2x3c',
  ],
  ['PBKDF2 with SHA-1', 'pbkdf2', '$pbkdf2$2000$ZSyl1JoTAuC8F8J4b81ZSw$HfWGgdDOjDgnJoiyeSw6CR65gws'],
  [
    'PBKDF2 of Django',
    'pbkdf2',
    'pbkdf2_sha256$3000$seasalt2abcdefghijkl$xlg+yQbmPpHlnVJ7YPF5PaobEOhB92b2m3Wrbpv9fNg=',
  ],
  [
    'PBKDF2 with SHA-1 of Django',
    'pbkdf2',
    'pbkdf2_sha1$3000$seasalt2abcdefghijkl$2ArQ1TbQRAyABlSypP7o9P5qya8=',
  ],
  [
    'PBKDF2 with SHA-256 of Keycloak',
    'pbkdf2',
    '$pbkdf2-sha256$i=27500$fufdaChsx9U3L3xbC02m5A==' +
      '$PM+Xzlx4yJyBxMb9e2d6dAa3lv/WVbsqkeHWjf6txIBzZfmJ5bwmyPhDu9KxzG3Nc//FtJhpMlHKiwrHyfF2pw==',
  ],
  [
    'PBKDF2 with SHA-512 of Keycloak',
    'pbkdf2',
    '$pbkdf2-sha512$i=21000$fufdaChsx9U3L3xbC02m5A==' +
      '$09JU7K9oO0DCTD07wEkySnM9dQqN3vvqqlzoy4XhwR2gnK/5piDperm7BPMFk/njH07AcaQlxT5z4Vx968VZVA==',
  ],
  [
    'ASP.NET Identity v3 with SHA-1',
    'pbkdf2',
    'AQAAAAAAAAPoAAAAEH7n3WgobMfVNy98WwtNpuTNLvC2gt/z6bN+xTpBhXP1JenxtyFIkLSRgGBvhk8AeQ==',
  ],
  [
    'ASP.NET Identity v3 with SHA-256',
    'pbkdf2',
    'AQAAAAEAACcQAAAAEH7n3WgobMfVNy98WwtNpuRhfDdWHGrXVnRE+30v8Zy16R497voHQ65BnZRnE6BeMg==',
  ],
  [
    'ASP.NET Identity v3 with SHA-512',
    'pbkdf2',
    'AQAAAAIAACcQAAAAEH7n3WgobMfVNy98WwtNpuQX+Dcw4zSbUkFFVp44czjEvcgoy4hJ0p+kF7RnJbaiiQ==',
  ],
]

function imported(text: string) {
  const outcome = readImportedHash(text)
  if (outcome.kind === 'rejected') throw new Error(outcome.reason)
  return formatForeignHash(outcome.hash)
}

describe('a password hash of another system', () => {
  test.each(vectors)(
    '%s: the right password matches, and no other',
    async (_, scheme, text, right = password) => {
      const stored = imported(text)
      expect(isForeignHash(stored)).toBe(true)
      const hash = readForeignHash(stored)
      expect(hash.scheme).toBe(scheme)
      expect(formatForeignHash(hash)).toBe(stored)
      expect(verifyForeignHash(right, hash)).toBe(true)
      expect(verifyForeignHash(`${right.slice(0, 60)}!`, hash)).toBe(false)
    },
  )

  test('that of Firebase is stored without the signer key of its project', () => {
    const [, , text = ''] = vectors.find(([form]) => form === 'scrypt of Firebase') ?? []
    expect(imported(text)).toMatch(/^foreign:\$firebase-scrypt\$ln=14,r=8\$[^$]+\$[^$]+$/)
    expect(imported(text)).not.toContain('jxspr8Ki0RYycVU8')
  })

  const salt = 'c2FsdHNhbHRzYWx0'
  const key = 'A'.repeat(43)
  test.each([
    ['nothing at all', '', 'is in no form'],
    ['a plain digest', '5f4dcc3b5aa765d61d8327deb882cf99', 'is in no form'],
    ['a scheme that is not known', '$argon2i$v=19$m=1024,t=2,p=1$c$h', 'is in no form'],
    ['a name of every object', '$constructor$x', 'is in no form'],
    ['bcrypt that was cut', '$2b$06$DHB.8cFqnjc0kMZvAsUD2enNGk2', 'is no bcrypt hash'],
    ['bcrypt of the broken kind 2x', `$2x$06$${'a'.repeat(53)}`, 'is no bcrypt hash'],
    ['bcrypt of a cost below its lowest', `$2b$03$${'a'.repeat(53)}`, 'cost of less than 4'],
    ['scrypt of more N than r allows', `$scrypt$ln=16,r=1,p=1$${salt}$${key}`, 'N must be less than'],
    [
      'Firebase of more N than r allows',
      `$firebase-scrypt$ln=17,r=1,ss=Bw==,k=${key}$${salt}$${key}`,
      'N must be less than',
    ],
    ['argon2id of version 1.0', `$argon2id$v=16$m=64,t=1,p=1$${salt}$${key}`, 'version'],
    ['argon2id without lanes', `$argon2id$v=19$m=64,t=1$${salt}$${key}`, 'm, t, p'],
    ['argon2id of a negative number', `$argon2id$v=19$m=-64,t=1,p=1$${salt}$${key}`, 'm, t, p'],
    ['argon2id of less memory than its lanes need', `$argon2id$v=19$m=64,t=1,p=16$${salt}$${key}`, '8 KiB'],
    ['argon2id of 65 lanes', `$argon2id$v=19$m=65536,t=3,p=65$${salt}$${key}`, 'more than 64 lanes'],
    ['argon2id with a short salt', `$argon2id$v=19$m=64,t=1,p=1$c2Fs$${key}`, 'salt of less than 8 bytes'],
    ['a salt of 65 bytes', `$scrypt$ln=4,r=8,p=1$${'A'.repeat(87)}$${key}`, 'more than 64 bytes'],
    ['a hash of 65 bytes', `$scrypt$ln=4,r=8,p=1$${salt}$${'A'.repeat(87)}`, 'more than 64 bytes'],
    ['a hash of eight bytes', `$scrypt$ln=4,r=8,p=1$${salt}$c2FsdHNhbHQ`, 'less than 16'],
    ['no hash', '$scrypt$ln=4,r=8,p=1$c2FsdA', 'no salt and hash'],
    ['more after the hash', `$scrypt$ln=4,r=8,p=1$${salt}$${key}$x`, 'no salt and hash'],
    ['base64 that is none', `$scrypt$ln=4,r=8,p=1$!!!$${key}`, 'no salt and hash'],
    ['no iterations', `$pbkdf2-sha256$${salt}$${key}`, 'the parameters i'],
    ['iterations beyond every number', `pbkdf2_sha256$${'9'.repeat(40)}$s$${key}`, 'the parameters i'],
    ['Firebase without a signer key', `$firebase-scrypt$ln=14,r=8$${salt}$${key}`, 'ln, r, ss, k'],
    ['ASP.NET that was cut', 'AQAAAAIAACcQAAAAEH7n3WgobMfV', 'ASP.NET'],
    ['ASP.NET of a digest that is none', `AQAAAAkAACcQAAAAEH7n${'A'.repeat(64)}`, 'ASP.NET'],
    ['ASP.NET whose salt is longer than all of it', `AQAAAAIAACcQ/////37n${'A'.repeat(64)}`, 'ASP.NET'],
  ])('is rejected with the reason: %s', (_, text, reason) => {
    expect(readImportedHash(text)).toEqual({ kind: 'rejected', reason: expect.stringContaining(reason) })
  })
})
