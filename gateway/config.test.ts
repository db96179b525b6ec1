import { expect, test } from 'vitest'
import { generateSecrets } from '../dev/secrets.ts'
import { readConfig } from '../shared/config.ts'
import { gatewayVariables } from './config.ts'

const secrets = await generateSecrets()

test('production rejects stand-ins: without Redis each gateway counts alone, and its address is unknown', () => {
  expect(() => readConfig(gatewayVariables, { ...secrets, NODE_ENV: 'production' })).toThrow(
    /ISSUER_URL is missing[\s\S]*REDIS_URL is missing/,
  )
})

test('production with them starts, and so does development without', () => {
  const given = {
    ISSUER_URL: 'https://api.example.com',
    REDIS_URL: 'redis://redis',
    UPGRADE_URL: 'https://app.example.com/upgrade',
  }
  expect(readConfig(gatewayVariables, { ...secrets, ...given, NODE_ENV: 'production' })).toMatchObject(given)
  expect(readConfig(gatewayVariables, secrets).REDIS_URL).toBeUndefined()
})

test('production rejects addresses that browsers would reach without TLS', () => {
  const given = { ISSUER_URL: 'http://api.example.com', REDIS_URL: 'redis://redis', NODE_ENV: 'production' }
  expect(() => readConfig(gatewayVariables, { ...secrets, ...given })).toThrow('ISSUER_URL must be https')
})
