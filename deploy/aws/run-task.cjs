/**
 * Runs a one-off task of ECS and tells whether it succeeded: for the custom resource that migrates
 * before services change (`start`, `isComplete`), and for the smoke test of a blue/green deployment
 * (`gate`). Its text is inline in the template, so it stays below 4,096 characters.
 */
const { createHash } = require('node:crypto')
const { DescribeTasksCommand, ECSClient, RunTaskCommand } = require('@aws-sdk/client-ecs')

const ecs = new ECSClient({})
const { CLUSTER: cluster = '', SUBNETS: subnets = '', GROUP: group = '', TASK: smokeTask } = process.env

/** The same token starts one task, however often it is asked for. */
async function startTask(taskDefinition, token) {
  const { tasks = [], failures = [] } = await ecs.send(
    new RunTaskCommand({
      cluster,
      taskDefinition,
      clientToken: createHash('sha256').update(token).digest('hex'),
      launchType: 'FARGATE',
      networkConfiguration: {
        awsvpcConfiguration: {
          subnets: subnets.split(','),
          securityGroups: [group],
          assignPublicIp: 'DISABLED',
        },
      },
    }),
  )
  if (!tasks[0]) throw new Error(`The task did not start: ${JSON.stringify(failures)}`)
  return tasks[0].taskArn
}

/** @throws Error where a container ended with anything but 0 */
async function hasSucceeded(task) {
  const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ cluster, tasks: [task] }))
  const [found] = tasks
  // A task that has just started may not be visible yet.
  if (found?.lastStatus !== 'STOPPED') return false
  const failed = (found.containers ?? []).filter(({ exitCode }) => exitCode !== 0)
  if (failed.length > 0) {
    const reasons = failed.map(({ name, exitCode, reason }) => `${name}: ${reason ?? `code ${exitCode}`}`)
    throw new Error(`${found.stoppedReason}: ${reasons.join(', ')}`)
  }
  return true
}

exports.start = async ({ RequestType, RequestId, PhysicalResourceId, ResourceProperties }) => {
  if (RequestType === 'Delete') return { PhysicalResourceId }
  const { taskDefinition } = ResourceProperties
  return { PhysicalResourceId: taskDefinition, Data: { task: await startTask(taskDefinition, RequestId) } }
}

exports.isComplete = async ({ RequestType, Data }) => ({
  IsComplete: RequestType === 'Delete' || (await hasSucceeded(Data.task)),
})

exports.gate = async ({ executionDetails, targetServiceRevisionArn }) => {
  const revision = targetServiceRevisionArn ?? executionDetails?.targetServiceRevisionArn
  if (!revision || !smokeTask) return { hookStatus: 'FAILED' }
  try {
    const isDone = await hasSucceeded(await startTask(smokeTask, revision))
    return isDone ? { hookStatus: 'SUCCEEDED' } : { hookStatus: 'IN_PROGRESS', callBackDelay: 15 }
  } catch (error) {
    process.stderr.write(`${error}\n`)
    return { hookStatus: 'FAILED' }
  }
}
