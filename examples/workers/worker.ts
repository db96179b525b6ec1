import { createWorker } from '../../gateway/adapters/workers/worker.ts'
import policy from './policy.yaml'

export default createWorker({ policyFile: { name: 'policy.yaml', text: policy } })
