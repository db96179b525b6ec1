import { describe, expect, test } from 'vitest'
import { createPublicContract, gatewayReports, health, services } from './contract.ts'
import { type Endpoint, type EndpointGroup, endpointKey, parameterNames } from './endpoint/endpoint.ts'

const subjects: readonly EndpointGroup[] = [
  ...createPublicContract({ passwordMinLength: 8 }),
  health,
  services,
  gatewayReports,
]
const endpoints = subjects.flatMap((subject) => Object.entries<Endpoint>(subject.endpoints))

describe('contracts', () => {
  test('name each operation once, and each method of a path once', () => {
    expect(endpoints.length).toBeGreaterThan(50)
    expect(new Set(endpoints.map(([id]) => id)).size).toBe(endpoints.length)
    expect(new Set(endpoints.map(([, endpoint]) => endpointKey(endpoint))).size).toBe(endpoints.length)
  })

  test.each(endpoints)('%s: describes parameters of its path alone', (_, { path, params = {} }) => {
    expect(parameterNames(path)).toEqual(expect.arrayContaining(Object.keys(params)))
  })

  test.each(endpoints)('%s: has one status of success, and no body where GET has none', (_, endpoint) => {
    expect(Object.keys(endpoint.responses).filter((status) => status.startsWith('2'))).toHaveLength(1)
    if (endpoint.method === 'GET') expect([endpoint.body, endpoint.form]).toEqual([undefined, undefined])
  })

  test('keep /internal to services with a scope and to gateways', () => {
    for (const subject of [services, gatewayReports])
      for (const { path } of Object.values<Endpoint>(subject.endpoints)) expect(path).toMatch(/^\/internal\//)
    for (const { scope } of Object.values<Endpoint>(services.endpoints)) expect(scope).toBeTypeOf('string')
    const others = subjects.filter((subject) => subject !== services && subject !== gatewayReports)
    for (const subject of others)
      for (const { path } of Object.values<Endpoint>(subject.endpoints))
        expect(path).not.toMatch(/^\/internal/)
  })
})
