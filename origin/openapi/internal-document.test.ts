import { readFileSync } from 'node:fs'
import { validate } from '@readme/openapi-parser'
import { describe, expect, test } from 'vitest'
import { gatewayReports, services } from '../../shared/contract.ts'
import type { Endpoint } from '../../shared/endpoint/endpoint.ts'
import { describeInternalApi } from './internal-document.ts'

const description = describeInternalApi({ version: '1.2.3', product: 'Ham' })
const endpoints = Object.entries<Endpoint>({ ...services.endpoints, ...gatewayReports.endpoints })

const operation = ({ method, path }: Endpoint) => description.paths?.[path]?.[method.toLowerCase() as 'get']

describe('the description of the internal API', () => {
  test('is valid OpenAPI 3.1 to an independent validator', async () => {
    expect(description.openapi).toMatch(/^3\.1/)
    expect(await validate(structuredClone(description) as never)).toMatchObject({ valid: true })
  })

  test.each(endpoints)('has %s, with the scope or the assertion that it needs', (id, endpoint) => {
    expect(operation(endpoint)).toMatchObject({
      operationId: id,
      security: [endpoint.scope ? { serviceToken: [endpoint.scope] } : { gatewayAssertion: [] }],
    })
  })

  test('has the errors of its callers, of bodies, queries and paths, and those that a contract names', () => {
    const statuses = (endpoint: Endpoint) => Object.keys(operation(endpoint)?.responses ?? {})
    expect(statuses(services.endpoints.readAccount)).toEqual(expect.arrayContaining(['401', '403', '404']))
    expect(statuses(services.endpoints.applyBillingEvent)).toEqual(
      expect.arrayContaining(['404', '409', '415', '422']),
    )
    expect(statuses(gatewayReports.endpoints.readPlanCatalogue)).not.toContain('403')
  })

  test('has the limit of services, with its headers, and none for gateways', () => {
    const headers = (endpoint: Endpoint, status: string) =>
      JSON.stringify(operation(endpoint)?.responses?.[status] ?? {})
    expect(headers(services.endpoints.readAccount, '200')).toContain('headers/RateLimit')
    expect(headers(services.endpoints.readAccount, '429')).toContain('responses/rate_limited')
    expect(JSON.stringify(description.components?.responses?.rate_limited)).toContain('headers/RateLimit')
    for (const endpoint of Object.values<Endpoint>(gatewayReports.endpoints)) {
      expect(Object.keys(operation(endpoint)?.responses ?? {})).not.toContain('429')
      expect(JSON.stringify(operation(endpoint))).not.toContain('headers/RateLimit')
    }
  })
})

test('docs/internal-services.md names each call of services, with its scope', () => {
  const page = readFileSync(new URL('../../docs/internal-services.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `([A-Z]+ [^`?]+)[^`]*` \| `([a-z_.]+)` \|/gm)].map(([, ...row]) => row)
  const calls = Object.values<Endpoint>(services.endpoints)
  expect(rows).toEqual(calls.map(({ method, path, scope }) => [`${method} ${path}`, scope]))
})
