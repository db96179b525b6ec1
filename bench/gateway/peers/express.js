import { Agent } from 'node:http'
import cors from 'cors'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import helmet from 'helmet'
import { createProxyMiddleware } from 'http-proxy-middleware'
import { Redis } from 'ioredis'
import jwt from 'jsonwebtoken'
import { RedisStore } from 'rate-limit-redis'
import { helmetOptions, keepAliveMs, permissionsPolicy, quotaSeconds, settings } from './settings.js'

/** The Express stack as its manuals put it together. */

const redis = new Redis(settings.redisUrl)
const app = express()
app.disable('x-powered-by')
app.set('trust proxy', 1)

app.use(helmet(helmetOptions))
app.use(function addPermissionsPolicy(_request, response, next) {
  response.setHeader('permissions-policy', permissionsPolicy)
  next()
})
app.use(cors({ origin: [] }))

function limit(name, windowSeconds, options) {
  return rateLimit({
    identifier: name,
    windowMs: windowSeconds * 1000,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    store: new RedisStore({
      prefix: `${settings.keyPrefix}${name}:`,
      sendCommand: (command, ...args) => redis.call(command, ...args),
    }),
    ...options,
  })
}

app.use(limit('address', settings.addressSeconds, { limit: settings.addressQuota }))
app.use(function authenticate(request, response, next) {
  const token = /^bearer +([^ ,]+)$/i.exec(request.get('authorization') ?? '')?.[1]
  try {
    request.user = jwt.verify(token, settings.publicKeyObject, {
      algorithms: ['ES256'],
      issuer: settings.issuer,
      audience: settings.audience,
    })
  } catch (error) {
    if (!(error instanceof jwt.JsonWebTokenError)) throw error
    response.status(401).set('www-authenticate', 'Bearer').json({ code: 'invalid_token' })
    return
  }
  next()
})
app.use(
  limit('user', quotaSeconds, {
    keyGenerator: (request) => request.user.sub,
    limit: (request) => request.user.quota,
  }),
)
app.use(
  createProxyMiddleware({
    target: settings.upstreamUrl,
    xfwd: true,
    // Without one it opens a connection for each request.
    agent: new Agent({ keepAlive: true }),
    on: {
      proxyReq(proxyRequest, { user }) {
        proxyRequest.removeHeader('authorization')
        proxyRequest.setHeader('x-user-id', user.sub)
        proxyRequest.setHeader('x-user-role', user.role)
        proxyRequest.setHeader('x-user-plan', user.plan)
      },
    },
  }),
)

const server = app.listen(settings.port, '127.0.0.1')
server.keepAliveTimeout = keepAliveMs
