import { Hono } from 'hono'
import { services } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { type MetadataService, toMetadataResponse } from '../accounts/metadata-service.ts'
import type { AccountMetadata } from '../accounts/queries.ts'
import type { ServiceEnv } from '../oauth/tokens/require-service.ts'
import { serveService } from '../oauth/tokens/serve-service.ts'

const { readAccountMetadata, setAccountMetadata } = services.endpoints

/** Metadata of accounts, for services. */
export function createMetadataRoutes({ metadata }: { metadata: MetadataService }) {
  const routes = new Hono<ServiceEnv>()

  serveService(routes, readAccountMetadata, async ({ params, respond }) =>
    respond(toMetadataResponse(requireFound(await metadata.read(params.id)))),
  )

  serveService(routes, setAccountMetadata, async ({ params, body, respond }, c) => {
    const changed = await metadata.set({
      userId: params.id,
      metadata: body.product_metadata,
      actorId: null,
      context: c.get('context'),
      details: { client_id: c.get('service').clientId },
    })
    return respond(toMetadataResponse(requireFound(changed)))
  })

  return routes
}

/** @throws Problem `not_found` */
function requireFound(metadata: AccountMetadata | undefined): AccountMetadata {
  if (!metadata) throw new Problem('not_found')
  return metadata
}
