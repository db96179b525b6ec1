import { globSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { ownProcessorMs } from '../common/processor-time.ts'
import { median } from '../common/statistics.ts'

/**
 * The cost of unbuilt TypeScript for a start of the gateway: the types of every file it could
 * load are stripped.
 */

const files = globSync('{gateway,shared}/**/*.ts', { exclude: ['**/*.test.ts', '**/*.d.ts'] })
const sources = files.map((file) => readFileSync(file, 'utf8'))

const samples = Array.from({ length: 7 }, () => {
  const before = ownProcessorMs()
  for (const source of sources) stripTypeScriptTypes(source)
  return ownProcessorMs() - before
})
process.stdout.write(`stripping ${files.length} files: ${median(samples).toFixed(0)} ms\n`)
