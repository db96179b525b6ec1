import { configFromEnvironment } from '../../../shared/node/environment.ts'
import { gatewayVariables } from '../../config.ts'
import { processCount, requireSharedLimits, stopMs } from './processes/process-count.ts'
import { joinProcessGroup } from './processes/process-group.ts'

const config = configFromEnvironment(gatewayVariables, requireSharedLimits)
const group = joinProcessGroup(stopMs(config))
const count = processCount(config)
// The supervisor serves no request, so it loads none of what does.
if (!group && count > 1) {
  const { supervise } = await import('./processes/supervise.ts')
  await supervise(config, count)
} else {
  const { serve } = await import('./serve.ts')
  await serve(group)
}
