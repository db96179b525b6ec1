import { Hono } from 'hono'
import { type ImportResult, services } from '../../shared/contract.ts'
import type { ServiceEnv } from '../oauth/tokens/require-service.ts'
import { serveService } from '../oauth/tokens/serve-service.ts'
import type { AccountRules } from './account.ts'
import { createAccountReader } from './account-reader.ts'
import { highestImportedLevel } from './rules.ts'
import type { AccountImporter, ImportOutcome } from './service.ts'

interface ImportRoutesOptions {
  importer: AccountImporter
  rules: AccountRules
}

const { importUsers } = services.endpoints

/** A service has no level of its own: it gives no role that administers the product. */
const grant = { highestLevel: highestImportedLevel, roles: [] }

/** Accounts of another system, for services. */
export function createImportRoutes({ importer, rules }: ImportRoutesOptions) {
  const routes = new Hono<ServiceEnv>()

  serveService(routes, importUsers, async ({ body, respond }, c) => {
    const readUniqueAccount = createAccountReader({ unit: 'item', ...rules })
    const read = body.users.map((user, index) => readUniqueAccount(user, index + 1))
    const accounts = read.flatMap((each) => (each.kind === 'read' ? [each.account] : []))
    const by = { client_id: c.get('service').clientId }
    const imported = (await importer.import(accounts, { grant, context: c.get('context'), by })).values()
    const outcomes = read.map((each): ImportOutcome => {
      if (each.kind === 'rejected') return each
      const { value } = imported.next()
      if (!value) throw new Error('an account was imported without an outcome')
      return value
    })
    const countOf = (kind: ImportOutcome['kind']) =>
      outcomes.filter((outcome) => outcome.kind === kind).length
    return respond({
      created: countOf('created'),
      updated: countOf('updated'),
      unchanged: countOf('unchanged'),
      rejected: countOf('rejected'),
      results: outcomes.map(resultOf),
    })
  })

  return routes
}

function resultOf(outcome: ImportOutcome, index: number): ImportResult {
  const { kind } = outcome
  if (kind === 'rejected') return { index, outcome: kind, reason: outcome.reason }
  return { index, outcome: kind, ...(outcome.userId !== undefined && { user_id: outcome.userId }) }
}
