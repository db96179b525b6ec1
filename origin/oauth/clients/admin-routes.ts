import { type Context, Hono } from 'hono'
import * as z from 'zod'
import {
  type ClientResponse,
  type ClientSecretResponse,
  clients as contract,
} from '../../../shared/contract.ts'
import { Problem } from '../../../shared/http/errors.ts'
import type { Sql } from '../../db/types.ts'
import { type OriginEnv, requireUser } from '../../http/request-context.ts'
import { requireAuthorization } from '../../http/require-authorization.ts'
import { serve } from '../../http/serve.ts'
import { serveList } from '../../http/serve-list.ts'
import { evaluateClientId } from './client-id.ts'
import {
  type ClientOperator,
  createClient,
  deleteClient,
  disableClient,
  endPreviousSecret,
  type IssuedSecret,
  type RotationOutcome,
  rotateClientSecret,
  setClientScopes,
} from './clients.ts'
import { type ListedClient, selectClientPage, selectListedClient } from './queries.ts'

const { endpoints } = contract

const manageSystem = requireAuthorization({ permissions: { all: ['system.manage'] } })

const byName = {
  position: z.tuple([z.string().regex(/^[a-z0-9-]{1,63}$/)]),
  positionOf: ({ id }: ListedClient): [string] => [id],
  item: clientResponse,
}

/** Clients of services, for administrators. */
export function createClientAdminRoutes({ sql }: { sql: Sql }) {
  const routes = new Hono<OriginEnv>()

  const operatorOf = (c: Context<OriginEnv>): ClientOperator => ({
    actorId: requireUser(c.get('user')).sub,
    context: c.get('context'),
  })

  serveList(routes, endpoints.listClients, manageSystem, byName, ({ limit, after }) =>
    selectClientPage(sql, { after: after?.[0] ?? '', limit }),
  )

  serve(routes, endpoints.readClient, manageSystem, async ({ params: { id }, respond }) =>
    respond(clientResponse(requireFound(await selectListedClient(sql, id)))),
  )

  serve(routes, endpoints.createClient, manageSystem, async ({ body: { id, scopes }, respond }, c) => {
    requireUsableId(id)
    const issued = await createClient(sql, { id, scopes: [...new Set(scopes)] }, operatorOf(c))
    if (!issued) throw new Problem('name_taken')
    return respond(secretResponse(id, issued))
  })

  serve(routes, endpoints.setClientScopes, manageSystem, async ({ params, body, respond }, c) => {
    const { id } = params
    const changed = await setClientScopes(sql, { id, scopes: [...new Set(body.scopes)] }, operatorOf(c))
    if (!changed) throw new Problem('not_found')
    return respond(clientResponse(requireFound(await selectListedClient(sql, id))))
  })

  serve(routes, endpoints.rotateClientSecret, manageSystem, async ({ params, body, respond }, c) => {
    const { id } = params
    const rotation = { id, overlapSeconds: body.overlap_seconds }
    return respond(secretResponse(id, requireRotated(await rotateClientSecret(sql, rotation, operatorOf(c)))))
  })

  serve(routes, endpoints.endPreviousSecret, manageSystem, async ({ params: { id }, respond }, c) => {
    if (!(await endPreviousSecret(sql, id, operatorOf(c)))) throw new Problem('not_found')
    return respond()
  })

  serve(routes, endpoints.disableClient, manageSystem, async ({ params: { id }, respond }, c) => {
    // A client that is disabled already is as the caller wants it.
    if (!(await disableClient(sql, id, operatorOf(c)))) requireFound(await selectListedClient(sql, id))
    return respond()
  })

  serve(routes, endpoints.deleteClient, manageSystem, async ({ params: { id }, respond }, c) => {
    if (!(await deleteClient(sql, id, operatorOf(c)))) throw new Problem('not_found')
    return respond()
  })

  return routes
}

/** @throws Problem `validation_failed` for the frontend's name, and one like an account's id */
function requireUsableId(id: string): void {
  if (evaluateClientId(id) === 'usable') return
  const errors = [{ pointer: '/id', detail: 'cannot be the name of a service' }]
  throw new Problem('validation_failed', { members: { errors } })
}

/** @throws Problem `not_found` */
function requireFound(client: ListedClient | undefined): ListedClient {
  if (!client) throw new Problem('not_found')
  return client
}

/** @throws Problem `not_found`, `client_disabled` */
function requireRotated(outcome: RotationOutcome): IssuedSecret {
  switch (outcome.kind) {
    case 'rotated':
      return outcome
    case 'unknown_client':
      throw new Problem('not_found')
    case 'client_disabled':
      throw new Problem('client_disabled')
  }
}

function clientResponse(client: ListedClient): ClientResponse {
  const text = (time: Date | null) => time?.toISOString() ?? null
  return {
    id: client.id,
    scopes: client.scopes,
    status: client.disabledAt ? 'disabled' : 'active',
    created_at: client.createdAt.toISOString(),
    disabled_at: text(client.disabledAt),
    last_used_at: text(client.lastUsedAt),
    secret_changed_at: client.secretChangedAt.toISOString(),
    previous_secret_ends_at: text(client.previousSecretEndsAt),
    previous_secret_used_at: text(client.previousSecretUsedAt),
  }
}

const secretResponse = (id: string, { secret, previousEndsAt }: IssuedSecret): ClientSecretResponse => ({
  client_id: id,
  client_secret: secret,
  previous_secret_ends_at: previousEndsAt?.toISOString() ?? null,
})
