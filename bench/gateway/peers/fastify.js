import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import proxy from '@fastify/http-proxy'
import jwt from '@fastify/jwt'
import rateLimit from '@fastify/rate-limit'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { helmetOptions, keepAliveMs, permissionsPolicy, quotaSeconds, settings } from './settings.js'

/**
 * Fastify with its own plugins and what their manuals name as fastest: the cache of verified
 * tokens, limits asked for together, undici.
 */

/** As many as there are users in the bench: a smaller cache would be no use to it. */
const rememberedTokens = 100_000

const fastify = Fastify({ trustProxy: '127.0.0.1', keepAliveTimeout: keepAliveMs })

await fastify.register(helmet, helmetOptions)
await fastify.register(cors, { origin: [] })
await fastify.register(jwt, {
  secret: { public: settings.publicKey },
  verify: {
    algorithms: ['ES256'],
    allowedIss: settings.issuer,
    allowedAud: settings.audience,
    cache: rememberedTokens,
    // Its default hashes each token anew at each request; the manual names this as the fast way.
    cacheKeyBuilder: (token) => token,
  },
})
await fastify.register(rateLimit, {
  global: false,
  redis: new Redis(settings.redisUrl, { connectTimeout: 500, maxRetriesPerRequest: 1 }),
  nameSpace: settings.keyPrefix,
})

const countAddress = fastify.createRateLimit({
  max: settings.addressQuota,
  timeWindow: settings.addressSeconds * 1000,
  keyGenerator: (request) => `address:${request.ip}`,
})
const countUser = fastify.createRateLimit({
  max: (request) => request.user.quota,
  timeWindow: quotaSeconds * 1000,
  keyGenerator: (request) => `user:${request.user.sub}`,
})

fastify.addHook('onRequest', async function authenticate(request, reply) {
  reply.header('permissions-policy', permissionsPolicy)
  await request.jwtVerify()
})
fastify.addHook('onRequest', async function limit(request, reply) {
  const [address, user] = await Promise.all([countAddress(request), countUser(request)])
  reply.header(
    'ratelimit-policy',
    `"address";q=${address.max};w=${settings.addressSeconds}, "user";q=${user.max};w=${quotaSeconds}`,
  )
  reply.header(
    'ratelimit',
    `"address";r=${address.remaining};t=${address.ttlInSeconds}, "user";r=${user.remaining};t=${user.ttlInSeconds}`,
  )
  if (address.isExceeded || user.isExceeded) {
    reply.header('retry-after', Math.max(address.ttlInSeconds, user.ttlInSeconds))
    return reply.code(429).send({ code: 'rate_limited' })
  }
})

await fastify.register(proxy, {
  upstream: settings.upstreamUrl,
  // OPTIONS is the CORS plugin's.
  httpMethods: ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'],
  replyOptions: {
    rewriteRequestHeaders({ user, ip }, { authorization: _secret, ...headers }) {
      return {
        ...headers,
        'x-forwarded-for': ip,
        'x-user-id': user.sub,
        'x-user-role': user.role,
        'x-user-plan': user.plan,
      }
    },
  },
})

await fastify.listen({ port: settings.port, host: '127.0.0.1' })
