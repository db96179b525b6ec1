import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type PolicyFile, parsePolicyFile } from '../../gateway/policy/policy-file.ts'

/** The policy file of the demo service, as `npm start` passes it to the gateway. */
export const demoPolicyPath = fileURLToPath(new URL('../../examples/reports/policy.yaml', import.meta.url))

export const demoPolicy: PolicyFile = { name: 'policy.yaml', text: readFileSync(demoPolicyPath, 'utf8') }

export const demoRows = parsePolicyFile(demoPolicy.text, demoPolicy.name).map(({ row }) => row)

/** URL of the demo service in tests that join services by an injected fetch. */
export const demoUrl = 'http://127.0.0.1:8082'
