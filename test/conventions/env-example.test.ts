import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type VariableName, variables } from '../../shared/config.ts'

const lines = readFileSync('.env.example', 'utf8').split('\n')
const entries = lines
  .map((line) => /^(?<commented># )?(?<name>[A-Z_]+)=(?<value>.*)$/.exec(line)?.groups)
  .filter((groups) => groups !== undefined)

describe('.env.example', () => {
  test('documents every variable once, and no other', () => {
    expect(entries.map(({ name }) => name).toSorted()).toEqual(Object.keys(variables).toSorted())
  })

  test('shows the defaults, and comments out what has none', () => {
    for (const { name, value, commented } of entries) {
      const schema = variables[name as VariableName]
      const byDefault = schema.safeParse(undefined)
      const hasDefault = byDefault.success && byDefault.data !== undefined
      expect({ name, commented: commented !== undefined }).toEqual({ name, commented: !hasDefault })
      if (hasDefault && value !== '')
        expect({ name, value: schema.parse(value) }).toEqual({ name, value: byDefault.data })
    }
  })
})
