import { jwtVerify, SignJWT } from 'jose'
import * as z from 'zod'
import type { EpochSeconds } from '../../shared/lib/time.ts'

/**
 * HS256, as only the origin reads the token; the key has no other use (RFC 8725, section 3.1).
 */
const algorithm = 'HS256'
const type = 'gatehouse-device+jwt'

/** Long enough for users who rarely sign in. */
export const deviceLifeSeconds = 180 * 86_400

/**
 * Accounts in one cookie, which stays below 2 KiB: a browser sends it with every request.
 */
export const deviceAccounts = 5

const accountSchema = z.object({
  sub: z.uuid(),
  jti: z.uuid(),
  password_version: z.string(),
  factor_at: z.int().exactOptional(),
  code_at: z.int().exactOptional(),
})
const otherSchema = accountSchema.extend({ exp: z.number() })

/**
 * The account that signed in last is at the top level. Cookies of earlier versions held it alone,
 * so either version reads the other's cookies.
 */
const payloadSchema = otherSchema.extend({ others: z.array(otherSchema).default([]) })

/**
 * A device on which the owner has signed in before. Its attempts are counted apart.
 */
export interface Device {
  id: string
  userId: string
  /** The version of the password it signed in with; a new password makes the device unknown. */
  passwordVersion: string
  /** When a second factor was presented on it, where its user chose to be remembered. */
  factorAt?: EpochSeconds | undefined
  /** When a code of a second factor was last accepted on it. A new password ends that. */
  codeAt?: EpochSeconds | undefined
}

/** A device in a cookie. Its lifetime starts with its sign-in. */
export interface KnownDevice extends Device {
  expiresAt: EpochSeconds
}

/** @param key 32 bytes */
export function createDeviceTokens(key: Uint8Array) {
  return {
    /**
     * @param device the device that has just signed in
     * @param known the former devices of the cookie. An entry of the same account and the oldest
     * beyond `deviceAccounts` are dropped
     */
    sign(device: Device, known: readonly KnownDevice[] = []): Promise<string> {
      const others = known
        .filter(({ userId }) => userId !== device.userId)
        .slice(0, deviceAccounts - 1)
        .map((other) => ({ ...claimsOf(other), exp: other.expiresAt }))
      return new SignJWT({ ...claimsOf(device), ...(others.length > 0 && { others }) })
        .setProtectedHeader({ alg: algorithm, typ: type })
        .setIssuedAt()
        .setExpirationTime(`${deviceLifeSeconds}s`)
        .sign(key)
    },

    /**
     * @returns one device per account, the latest sign-in first; empty for a token that is forged
     * or expired
     */
    async read(token: string | undefined): Promise<KnownDevice[]> {
      if (token === undefined) return []
      const verified = await jwtVerify(token, key, { algorithms: [algorithm], typ: type }).catch(
        () => undefined,
      )
      const payload = payloadSchema.safeParse(verified?.payload)
      if (!payload.success) return []
      const { others, ...newest } = payload.data
      const nowSeconds = Date.now() / 1000
      return [newest, ...others.filter(({ exp }) => exp > nowSeconds)].map(deviceOf)
    },
  }
}

export type DeviceTokens = ReturnType<typeof createDeviceTokens>

const claimsOf = ({ id, userId, passwordVersion, factorAt, codeAt }: Device) => ({
  sub: userId,
  jti: id,
  password_version: passwordVersion,
  ...(factorAt !== undefined && { factor_at: factorAt }),
  ...(codeAt !== undefined && { code_at: codeAt }),
})

const deviceOf = ({
  sub,
  jti,
  password_version,
  factor_at,
  code_at,
  exp,
}: z.output<typeof otherSchema>): KnownDevice => ({
  id: jti,
  userId: sub,
  passwordVersion: password_version,
  factorAt: factor_at,
  // Earlier versions stored the time only where the user chose to be remembered.
  codeAt: code_at ?? factor_at,
  expiresAt: exp,
})
