import { healthAnswer } from '../../../shared/contract.ts'
import type { Subject } from './contract.ts'

const mediaType = 'application/health+json'

const answers = {
  200: {
    description: 'It serves; `warn` says that it does so less well than it should.',
    schema: healthAnswer,
    mediaType,
  },
  503: { description: 'Send requests elsewhere.', schema: healthAnswer, mediaType },
}

/** What the gateway answers by itself: no row of the policy table names it. */
export const health: Subject = {
  name: 'Health',
  description: 'How the gateway and what stands behind it are doing, for anybody.',
  operations: {
    'GET /live': { id: 'readLive', summary: 'Is it there?', answers: { 200: answers[200] } },
    'GET /ready': { id: 'readReady', summary: 'Should requests be sent here?', answers },
    'GET /health': { id: 'readHealth', summary: 'How is it doing?', answers },
  },
}
