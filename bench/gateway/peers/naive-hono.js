import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { proxy } from 'hono/proxy'
import { secureHeaders } from 'hono/secure-headers'
import { Redis } from 'ioredis'
import { importSPKI, errors as jose, jwtVerify } from 'jose'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { keepAliveMs, quotaSeconds, settings } from './settings.js'

/** The naive gateway: each part is correct, and nothing is cached or batched. */

const key = await importSPKI(settings.publicKey, 'ES256')
const redis = new Redis(settings.redisUrl)
const app = new Hono()

app.use(
  secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      frameAncestors: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
    },
    strictTransportSecurity: 'max-age=31536000; includeSubDomains',
    xFrameOptions: 'DENY',
    permissionsPolicy: { camera: [], geolocation: [], microphone: [], payment: [], usb: [] },
  }),
)
app.use(cors({ origin: [] }))

const createLimiter = (name, duration) =>
  new RateLimiterRedis({
    storeClient: redis,
    keyPrefix: `${settings.keyPrefix}${name}`,
    duration,
    // The quota differs from user to user: it is compared below.
    points: Number.MAX_SAFE_INTEGER,
  })
const addresses = createLimiter('address', settings.addressSeconds)
const users = createLimiter('user', quotaSeconds)

/** @returns the fields of the answer, and whether the request may pass */
async function count(limiter, key, name, quota) {
  const { consumedPoints, msBeforeNext } = await limiter.consume(key)
  const left = Math.max(0, quota - consumedPoints)
  return {
    passes: consumedPoints <= quota,
    policy: `"${name}";q=${quota};w=${limiter.duration}`,
    state: `"${name}";r=${left};t=${Math.ceil(msBeforeNext / 1000)}`,
  }
}

app.all('*', async function gateway(c) {
  const address = c.req.header('x-forwarded-for')?.split(',').at(-1)?.trim() ?? getConnInfo(c).remote.address
  const ofAddress = await count(addresses, address, 'address', settings.addressQuota)
  if (!ofAddress.passes) return c.json({ code: 'rate_limited' }, 429)

  const token = /^bearer +([^ ,]+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? ''
  let user
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['ES256'],
      issuer: settings.issuer,
      audience: settings.audience,
    })
    user = payload
  } catch (error) {
    if (!(error instanceof jose.JOSEError)) throw error
    return c.json({ code: 'invalid_token' }, 401, { 'www-authenticate': 'Bearer' })
  }

  const ofUser = await count(users, user.sub, 'user', user.quota)
  if (!ofUser.passes) return c.json({ code: 'rate_limited' }, 429)

  const url = new URL(c.req.url)
  const answer = await proxy(settings.upstreamUrl + url.pathname + url.search, {
    ...c.req,
    headers: {
      ...c.req.header(),
      authorization: undefined,
      'x-forwarded-for': address,
      'x-user-id': user.sub,
      'x-user-role': user.role,
      'x-user-plan': user.plan,
    },
  })
  answer.headers.set('ratelimit-policy', `${ofAddress.policy}, ${ofUser.policy}`)
  answer.headers.set('ratelimit', `${ofAddress.state}, ${ofUser.state}`)
  return answer
})

const server = serve({ fetch: app.fetch, port: settings.port, hostname: '127.0.0.1' })
server.keepAliveTimeout = keepAliveMs
