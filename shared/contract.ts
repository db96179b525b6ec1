/**
 * The bodies of every endpoint, what comes in and what goes out. Objects that come in are strict: a
 * field that one may not set is refused by its name. Handlers are checked against what goes out,
 * and the API description is made of both.
 */
export * from './contract/accounts.ts'
export * from './contract/audit.ts'
export { isOptionalBody, type PasswordFaultCode } from './contract/fields.ts'
export * from './contract/health.ts'
export * from './contract/internal.ts'
export * from './contract/lists.ts'
export * from './contract/oauth.ts'
export * from './contract/plans.ts'
export * from './contract/problems.ts'
export * from './contract/upkeep.ts'
export * from './contract/users.ts'
