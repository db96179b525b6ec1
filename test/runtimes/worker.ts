import { createWorker } from '../../gateway/adapters/workers/worker.ts'
import policy from './policy.yaml'

/** As examples/workers/worker.ts, with the rows of the suite. */
export default createWorker({ policyFile: { name: 'policy.yaml', text: policy } })
