import { expect, test } from 'vitest'
import { ConfigError } from '../../shared/config.ts'
import { requireMailInProduction } from './config.ts'

test('production without SMTP_URL is refused, and the reason names the variable', () => {
  const refused = () => requireMailInProduction({ NODE_ENV: 'production', SMTP_URL: undefined })
  expect(refused).toThrow(ConfigError)
  expect(refused).toThrow('SMTP_URL')
})

test.each([
  ['development', undefined],
  ['test', undefined],
  ['production', 'smtps://mail.example.com'],
])('%s with SMTP_URL %s is fine', (NODE_ENV, SMTP_URL) => {
  expect(() => requireMailInProduction({ NODE_ENV, SMTP_URL })).not.toThrow()
})
