import { jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import type { EpochSeconds } from '../../shared/lib/time.ts'

/**
 * HS256 for a token that only its maker reads; the key serves nothing else (RFC 8725, section 3.1).
 */
const algorithm = 'HS256'
const type = 'gatehouse-device+jwt'

/** Long enough that somebody who signs in now and then stays known. */
export const deviceLifeSeconds = 180 * 86_400

/**
 * Accounts that one cookie remembers: a browser sends it with every request, so it stays below 2
 * KiB.
 */
export const deviceAccounts = 5

const accountSchema = z.object({ sub: z.uuid(), jti: z.uuid(), password_version: z.string() })
const otherSchema = accountSchema.extend({ exp: z.number() })

/**
 * The account that signed in last stands at the top level, as in the cookies of earlier versions,
 * which held one account: either version reads the other's cookies.
 */
const payloadSchema = otherSchema.extend({ others: z.array(otherSchema).default([]) })

/**
 * A device that its owner signed in on before: its tries at the password are counted apart from
 * everybody else's.
 */
export interface Device {
  id: string
  userId: string
  /** The password it signed in with; another one makes it a stranger again. */
  passwordVersion: string
}

/** A device as a cookie remembers it. The life of each starts with its own sign-in. */
export interface KnownDevice extends Device {
  expiresAt: EpochSeconds
}

/** @param key 32 bytes */
export function createDeviceTokens(key: Uint8Array) {
  return {
    /**
     * @param device signed in now
     * @param known what the cookie held before: kept beside it, except for an older entry of the
     * same account and the oldest beyond `deviceAccounts`
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
     * @returns one for each account, the one signed in last first; none for what we did not sign,
     * or long ago: then it is a stranger's
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

const claimsOf = ({ id, userId, passwordVersion }: Device) => ({
  sub: userId,
  jti: id,
  password_version: passwordVersion,
})

const deviceOf = ({ sub, jti, password_version, exp }: z.output<typeof otherSchema>): KnownDevice => ({
  id: jti,
  userId: sub,
  passwordVersion: password_version,
  expiresAt: exp,
})
