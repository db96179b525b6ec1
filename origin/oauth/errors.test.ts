import { expect, test } from 'vitest'
import { oauthErrors } from './errors.ts'

// RFC 6749, section 5.2: %x20-21 / %x23-5B / %x5D-7E for both members.
test.each(Object.entries(oauthErrors))(
  '%s: error and error_description are of the allowed characters',
  (_, row) => {
    expect(row.error).toMatch(/^[a-z_]+$/)
    expect(row.description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
  },
)
