import { describe, expect, test } from 'vitest'
import { identitySchema } from '../../shared/auth/claims.ts'
import { createIssuer } from '../../test/support/gateway/issuer.ts'
import { createIdentityInterner, toPlainIdentity } from './identity-interner.ts'

const issuer = await createIssuer()
const identityOf = (claims = {}) => identitySchema.parse(issuer.claims(claims))

describe('createCompactIdentity', () => {
  test('keeps every claim, and those that two users share once', () => {
    const compactIdentity = createIdentityInterner()
    const [ada, bob] = [identityOf(), identityOf()]
    const first = compactIdentity(ada)
    const second = compactIdentity(bob)
    expect(toPlainIdentity(first.identity)).toEqual(ada)
    expect(toPlainIdentity(second.identity)).toEqual(bob)
    expect(second.internedClaims).toBe(first.internedClaims)
    expect(second.identity.permissions).toBe(first.identity.permissions)
  })

  test('never gives a user the claims of another whose lists read alike', () => {
    const compactIdentity = createIdentityInterner()
    for (const permissions of [['a\nb'], ['a', 'b'], ['a,b'], ['a","b'], [], ['']])
      for (const features of [permissions, []])
        for (const epoch of [
          { user: 1, role: 1, plan: 1 },
          { user: 1, role: 1, plan: 2 },
        ]) {
          const given = identityOf({ permissions, features, epoch })
          expect(toPlainIdentity(compactIdentity(given).identity)).toEqual(given)
        }
  })

  test('interns claims that come after a thousand others', () => {
    const compactIdentity = createIdentityInterner()
    for (let quota = 1; quota <= 5000; quota++) compactIdentity(identityOf({ quota }))
    const late = identityOf({ quota: 5001 })
    expect(compactIdentity({ ...late }).internedClaims).toBe(compactIdentity({ ...late }).internedClaims)
  })
})
