import { App } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { expect, test } from 'vitest'
import { createInstallation } from './create-installation.ts'
import { examples, readExample } from './installations/examples.ts'

test.each(examples)('cdk-nag finds nothing in %s.yaml that is not explained', (name) => {
  const app = new App()
  createInstallation(app, readExample(name), '1.2.3')
  const { violations } = new AwsSolutionsChecks().validateScope(app)
  const found = violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(
      ({ constructPath, resourceLogicalId }) => `${ruleName} ${constructPath ?? resourceLogicalId}`,
    ),
  )
  expect(found).toEqual([])
})
