import { healthResponse } from '../../../shared/contract.ts'
import type { Subject } from './contract.ts'

const mediaType = 'application/health+json'

const responses = {
  200: {
    description: 'It serves; `warn` says that it does so less well than it should.',
    schema: healthResponse,
    mediaType,
  },
  503: { description: 'Send requests elsewhere.', schema: healthResponse, mediaType },
}

/** What the gateway answers by itself: no row of the policy table names it. */
export const health: Subject = {
  name: 'Health',
  description: 'How the gateway and what stands behind it are doing, for anybody.',
  operations: {
    'GET /live': { id: 'readLive', summary: 'Is it there?', responses: { 200: responses[200] } },
    'GET /ready': { id: 'readReady', summary: 'Should requests be sent here?', responses },
    'GET /health': { id: 'readHealth', summary: 'How is it doing?', responses },
  },
}
