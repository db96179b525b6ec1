import type { GatewayConfig } from '../config.ts'

/** Hexadecimal digits of the name: enough to avoid collisions within a chain of deployments. */
const digits = 12

/**
 * This deployment's name in the Via header upstream (RFC 9110, section 7.6.3), by which its
 * gateways detect loops. A hash of the issuer and the public assertion key, which all replicas
 * share and other deployments do not.
 */
export async function viaName({
  ISSUER_URL,
  ASSERTION_PRIVATE_JWK: { x, y },
}: Pick<GatewayConfig, 'ISSUER_URL' | 'ASSERTION_PRIVATE_JWK'>): Promise<string> {
  const identity = new TextEncoder().encode(`${ISSUER_URL} ${x} ${y}`)
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', identity))
  const hex = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `gatehouse-${hex.slice(0, digits)}`
}

/**
 * @param via the header's value: a protocol and a name for each proxy on the way, then perhaps a
 *   comment
 */
export const hasPassed = (via: string, name: string): boolean =>
  via.split(',').some((entry) => entry.trim().split(/[ \t]+/, 2)[1] === name)
