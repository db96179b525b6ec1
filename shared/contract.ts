import { audit } from './contract/audit.ts'
import { planAdministration } from './contract/catalogue/plan-administration.ts'
import { roles } from './contract/catalogue/roles.ts'
import { apiKeys } from './contract/credentials/api-keys.ts'
import { factors } from './contract/credentials/factors.ts'
import type { ListResponse } from './contract/lists.ts'
import { clients } from './contract/oauth/clients.ts'
import { oauth } from './contract/oauth/oauth.ts'
import { ownAccount } from './contract/own-account.ts'
import type { ContractSettings } from './contract/passwords.ts'
import { plans } from './contract/plans.ts'
import { signedUrls } from './contract/signed-urls.ts'
import { createSigningIn } from './contract/signing-in.ts'
import { upkeep } from './contract/upkeep.ts'
import { usage } from './contract/usage.ts'
import { users } from './contract/users.ts'
import type { EndpointKey, EndpointsOf, ResponseBody } from './endpoint/endpoint.ts'

export * from './contract/audit.ts'
export * from './contract/catalogue/plan-administration.ts'
export * from './contract/catalogue/roles.ts'
/**
 * The contract of every endpoint: its request, its responses and its errors. Request bodies are
 * strict: an unknown member is rejected by its name.
 */
export * from './contract/credentials/api-keys.ts'
export * from './contract/credentials/factors.ts'
export type { PasswordFaultCode } from './contract/fields.ts'
export * from './contract/health.ts'
export * from './contract/internal/gateway-reports.ts'
export * from './contract/internal/services.ts'
export * from './contract/internal/user-import.ts'
export * from './contract/lists.ts'
export type { AccountMetadataResponse, JsonObject } from './contract/metadata.ts'
export * from './contract/oauth/clients.ts'
export * from './contract/oauth/oauth.ts'
export type { Scope } from './contract/oauth/scopes.ts'
export * from './contract/own-account.ts'
export * from './contract/passwords.ts'
export * from './contract/plans.ts'
export * from './contract/problems.ts'
export * from './contract/signed-urls.ts'
export * from './contract/signing-in.ts'
export * from './contract/upkeep.ts'
export * from './contract/usage.ts'
export * from './contract/users.ts'

/** The endpoints that the policy table has a row for, in the order in which a reader meets them. */
export const createPublicContract = (settings: ContractSettings) =>
  [
    createSigningIn(settings),
    ownAccount,
    signedUrls,
    apiKeys,
    factors,
    plans,
    users,
    roles,
    planAdministration,
    audit,
    usage,
    upkeep,
    clients,
    oauth,
  ] as const

type PublicEndpoints = EndpointsOf<ReturnType<typeof createPublicContract>[number]>

/** `METHOD /path` of each endpoint that the policy table has a row for. */
export type PublicEndpointKey = EndpointKey<PublicEndpoints>

export type PublicEndpoint<Key extends PublicEndpointKey> = Key extends `${infer Method} ${infer Path}`
  ? Extract<PublicEndpoints, { method: Method; path: Path }>
  : never

/** Bodies that endpoints respond with, by `METHOD /path`. */
export type PublicResponses = { [Key in PublicEndpointKey]: ResponseBody<PublicEndpoint<Key>> }

/** The endpoints that respond with a page of a list. */
export type ListKey = {
  [Key in PublicEndpointKey]: PublicResponses[Key] extends ListResponse<unknown> ? Key : never
}[PublicEndpointKey]

export type ListItem<Key extends ListKey> =
  PublicResponses[Key] extends ListResponse<infer Item> ? Item : never
