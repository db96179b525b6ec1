import { createPublicKey } from 'node:crypto'

/** Settings of every peer, as environment variables. */
export const settings = {
  port: Number(process.env.PORT),
  upstreamUrl: process.env.UPSTREAM_URL,
  redisUrl: process.env.REDIS_URL,
  keyPrefix: process.env.KEY_PREFIX,
  /** Key that verifies tokens, in PEM. */
  publicKey: process.env.PUBLIC_KEY,
  publicKeyObject: createPublicKey(process.env.PUBLIC_KEY),
  issuer: process.env.ISSUER,
  audience: process.env.AUDIENCE,
  /** Requests of one address in a window. */
  addressQuota: Number(process.env.ADDRESS_QUOTA),
  addressSeconds: Number(process.env.ADDRESS_SECONDS),
}

/** The unit of the quota in the token. */
export const quotaSeconds = 3600

/** Longer than anything of the bench: no peer is asked to open connections anew. */
export const keepAliveMs = 65_000

/** The set that Gatehouse sends and no library of headers has by default. */
export const permissionsPolicy = 'camera=(), geolocation=(), microphone=(), payment=(), usb=()'

/**
 * Helmet's options for an API that is no page, as Gatehouse has it: its default policy lets a page
 * load from its own host.
 */
export const helmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      frameAncestors: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
    },
  },
  xFrameOptions: { action: 'deny' },
}
