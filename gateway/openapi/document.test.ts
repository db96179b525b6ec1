import { dereference, validate } from '@readme/openapi-parser'
import { describe, expect, test } from 'vitest'
import { errors } from '../../shared/http/errors.ts'
import { demoRows } from '../../test/support/demo-policy.ts'
import { compileRow, type PolicyRow } from '../policy/policy.ts'
import { routes } from '../routes.ts'
import { describeApi } from './document.ts'

const fileRow: PolicyRow = {
  method: 'PUT',
  path: '/v1/orders/{id}',
  upstream: 'orders',
  who: 'user',
  permissions: { any: ['orders.write', 'orders.manage'] },
  level: 50,
  limits: ['user', 'address'],
  deadline_seconds: 5,
}
const description = describeApi({ rows: routes, fileRows: [...demoRows, fileRow], version: '1.2.3' })
/** With what it refers to in place. */
const whole = (await dereference(structuredClone(description) as never)) as typeof description

function operation(method: string, path: string) {
  const found = whole.paths?.[path]?.[method.toLowerCase() as 'get']
  if (!found) throw new Error(`${method} ${path} is not described`)
  return found
}

/** Codes by status, as the answer's words name them. */
const codesOf = (method: string, path: string, status: number): string[] =>
  [...(operation(method, path).responses?.[status]?.description ?? '').matchAll(/`([a-z_]+)`/g)].map(
    ([, code]) => String(code),
  )

describe('the API description', () => {
  test('has the rest of a path as one parameter, each method of a row, and a token that is optional', () => {
    const row: PolicyRow = {
      ...fileRow,
      method: ['GET', 'PUT'],
      path: '/v1/files/{fileId}/{path...}',
      who: 'optional',
      limits: ['address'],
    }
    const { permissions, features, level, ...optional } = row
    const { paths = {} } = describeApi({ rows: routes, fileRows: [optional], version: '1' })
    const { get, put } = paths['/v1/files/{fileId}/{path}'] ?? {}
    expect(get?.security).toEqual([{}, { accessToken: [] }])
    expect(get?.parameters).toMatchObject([{ name: 'fileId' }, { name: 'path' }])
    expect(put).toBeDefined()
  })

  test('is valid OpenAPI 3.1 to an independent validator', async () => {
    expect(description.openapi).toMatch(/^3\.1/)
    const outcome = await validate(structuredClone(description) as never)
    expect(outcome).toMatchObject({ valid: true })
  })

  test('has an operation for each row of the policy table, named once', () => {
    for (const { method, path } of routes) operation(method, path)
    const ids = routes.map(({ method, path }) => operation(method, path).operationId)
    expect(new Set(ids).size).toBe(routes.length)
    expect(ids).not.toContain(undefined)
  })

  test('is rejected for a row without a contract', () => {
    const row: PolicyRow = { ...fileRow, path: '/v1/forgotten' }
    expect(() => describeApi({ rows: [...routes, row], version: '0' })).toThrow(
      'PUT /v1/forgotten has no contract',
    )
  })

  test('is rejected for a contract whose row is gone', () => {
    const rows = routes.filter(({ path }) => path !== '/v1/plans')
    expect(() => describeApi({ rows, version: '0' })).toThrow('GET /v1/plans has a contract, but no row')
  })

  test('describes what a row requires, in words and in an extension', () => {
    const reports = operation('GET', '/v1/reports')
    expect(reports.security).toEqual([{ accessToken: [] }])
    expect(reports).toMatchObject({
      'x-permissions': { all: ['dashboard.read'] },
      'x-features': ['premium_dashboard'],
      'x-limits': ['user'],
      'x-deadline-seconds': 30,
      'x-body-bytes': 65_536,
    })
    expect(reports.description).toContain('permission `dashboard.read`')
    expect(reports.description).toContain('feature `premium_dashboard`')
    expect(codesOf('GET', '/v1/reports', 403)).toEqual([
      'api_key_not_accepted',
      'permission_required',
      'feature_required',
    ])
  })

  test('has API keys as another credential where the row takes them', () => {
    expect(operation('GET', '/v1/me').security).toEqual([{ accessToken: [] }, { apiKey: [] }])
    expect(operation('PATCH', '/v1/me').security).toEqual([{ accessToken: [] }])
    expect(codesOf('GET', '/v1/me', 403)).toEqual([
      'network_not_allowed',
      'feature_required',
      'permission_required',
    ])
  })

  test('lists the error codes of a body, a query, a path and of the handler', () => {
    expect(codesOf('PUT', '/admin/users/{id}/role', 403)).toEqual([
      'api_key_not_accepted',
      'permission_required',
      'escalation_refused',
    ])
    expect(codesOf('PUT', '/admin/users/{id}/role', 422)).toEqual(['validation_failed'])
    expect(codesOf('PUT', '/admin/users/{id}/role', 404)).toEqual(['not_found'])
    expect(codesOf('GET', '/admin/audit-logs', 400)).toContain('query_invalid')
    expect(codesOf('GET', '/v1/plans', 401)).toEqual([])
    expect(codesOf('GET', '/v1/me', 401)).toEqual([
      'token_missing',
      'invalid_token',
      'legacy_token',
      'claims_stale',
      'session_ended',
    ])
  })

  test('names codes of errors.ts and no others', () => {
    const known = Object.keys(errors)
    for (const { method, path } of routes) {
      for (const status of Object.keys(operation(method, path).responses ?? {}).filter(
        (key) => +key >= 400,
      )) {
        if (path.startsWith('/oauth/') && +status < 429) continue
        const codes = codesOf(method, path, +status)
        expect(codes.length).toBeGreaterThan(0)
        expect(known).toEqual(expect.arrayContaining(codes))
      }
    }
  })

  test('has every code that a caller of the gateway may meet', () => {
    // For services at the origin, for paths that no operation describes, or never sent.
    const elsewhere = [
      'untrusted_caller',
      'scope_required',
      'event_conflict',
      'event_outdated',
      'method_not_allowed',
      'client_closed_request',
    ]
    const described = [...routes, ...demoRows, fileRow]
      .flatMap(compileRow)
      .flatMap(({ method, path }) =>
        Object.keys(operation(method, path).responses ?? {}).flatMap((status) =>
          codesOf(method, path, +status),
        ),
      )
    expect(
      Object.keys(errors).filter((code) => !elsewhere.includes(code) && !described.includes(code)),
    ).toEqual([])
  })

  test('has the parameters of pages, filters and paths', () => {
    const parameters = operation('GET', '/admin/users/{id}/sessions').parameters as {
      name: string
      in: string
    }[]
    expect(parameters.map(({ name, in: place }) => `${place} ${name}`)).toEqual([
      'path id',
      'query limit',
      'query cursor',
    ])
    const attempts = operation('GET', '/admin/login-attempts').parameters as { name: string }[]
    expect(attempts.map(({ name }) => name)).toEqual([
      'email',
      'ip',
      'user_id',
      'outcome',
      'from',
      'to',
      'limit',
      'cursor',
    ])
  })

  test('has the RateLimit headers on what is counted, and Retry-After on 429', () => {
    const { responses } = operation('GET', '/v1/me')
    expect(Object.keys(responses?.[200].headers)).toEqual(['X-Request-Id', 'RateLimit', 'RateLimit-Policy'])
    expect(Object.keys(responses?.[429].headers)).toContain('Retry-After')
    expect(Object.keys(operation('GET', '/health').responses?.[200].headers)).toEqual(['X-Request-Id'])
  })

  test('describes a row of a policy file by the members of the row', () => {
    const bare = operation('PUT', '/v1/orders/{id}')
    expect(bare).toMatchObject({
      tags: ['Services'],
      'x-permissions': { any: ['orders.write', 'orders.manage'] },
      'x-level': 50,
      'x-limits': ['user', 'address'],
      'x-deadline-seconds': 5,
    })
    expect(bare.requestBody).toBeUndefined()
    expect(codesOf('PUT', '/v1/orders/{id}', 403)).toEqual([
      'api_key_not_accepted',
      'permission_required',
      'level_required',
    ])
    expect(bare.responses?.default).toEqual({ description: 'What the service answers.' })
  })

  test('describes bodies: no other members, passwords of a length', () => {
    const body = operation('POST', '/auth/register').requestBody as {
      content: Record<string, { schema: object }>
    }
    expect(body.content['application/json']?.schema).toMatchObject({
      additionalProperties: false,
      required: ['email', 'password'],
      properties: { password: { format: 'password', minLength: 8, maxLength: 256 } },
    })
  })

  test('has the pattern of an email address, as the origin checks it', () => {
    for (const path of ['/auth/register', '/auth/login', '/auth/password/forgot']) {
      const body = operation('POST', path).requestBody as {
        content: Record<string, { schema: { properties: { email: { pattern: string } } } }>
      }
      const { email } = body.content['application/json']?.schema.properties ?? {}
      expect(email).toMatchObject({ type: 'string', format: 'email', maxLength: 254 })
      const pattern = new RegExp(email?.pattern ?? '', 'u')
      for (const address of ["o'neill+{x}@example.com", 'ada@münchen.de', 'ada@localhost'])
        expect(address).toMatch(pattern)
      for (const address of ['ada', 'a b@example.com', 'ada@example.com\n', 'ada@exa_mple.com'])
        expect(address).not.toMatch(pattern)
    }
  })

  test('has the ids of the origin as UUIDs, and those of other services as they are', () => {
    const idOf = (method: string, path: string) =>
      (operation(method, path).parameters as { name: string; schema: object }[]).find(
        ({ name }) => name === 'id',
      )?.schema
    expect(idOf('PUT', '/admin/users/{id}/role')).toMatchObject({ format: 'uuid' })
    expect(idOf('PUT', '/v1/orders/{id}')).toEqual({ type: 'string' })
  })

  test('says which bodies may be left out', () => {
    const isRequired = (method: string, path: string) =>
      (operation(method, path).requestBody as { required: boolean }).required
    for (const path of ['/auth/refresh', '/auth/logout', '/admin/users/{id}/lock'])
      expect({ path, required: isRequired('POST', path) }).toEqual({ path, required: false })
    for (const path of ['/auth/register', '/auth/login', '/oauth/token'])
      expect({ path, required: isRequired('POST', path) }).toEqual({ path, required: true })
  })

  test('has the pattern of accepted times, which is narrower than `date-time`', () => {
    const { parameters } = operation('GET', '/admin/audit-logs')
    const found = (parameters as { name: string; schema: object }[]).find(({ name }) => name === 'from')
    const { pattern, format } = (found?.schema ?? {}) as { pattern: string; format: string }
    expect(format).toBe('date-time')
    for (const taken of ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.123456Z'])
      expect(taken).toMatch(new RegExp(pattern))
    for (const refused of ['2026-01-31T12:00:00+01:00', '2026-01-31', '2026-01-31T12:00:00.1234567Z'])
      expect(refused).not.toMatch(new RegExp(pattern))
    const booking = operation('PUT', '/admin/users/{id}/subscription').requestBody as {
      content: Record<string, { schema: { properties: { period_ends_at: object } } }>
    }
    expect(JSON.stringify(booking.content['application/json']?.schema.properties.period_ends_at)).toContain(
      '(?:Z|[+-]',
    )
  })
})
