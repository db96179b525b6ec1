import { describe, expect, test } from 'vitest'
import { createProgressBar } from './progress-bar.ts'

function terminal(isTTY: boolean) {
  const written: string[] = []
  return { isTTY, write: (text: string) => written.push(text), written }
}

describe('the progress of an import', () => {
  test('is a bar by the bytes of the file, with lines and their rate', () => {
    const screen = terminal(true)
    const bar = createProgressBar(screen, 0)
    bar.show({ lines: 45_000, read: 500, total: 1000 })
    bar.clear()
    expect(screen.written[0]).toMatch(/\[#{15}-{15}\] {2}50 % 45,000 lines, [\d,]+\/s$/)
    expect(screen.written).toHaveLength(2)
  })

  test('is without a bar where the size is not known, as of standard input', () => {
    const screen = terminal(true)
    createProgressBar(screen, 0).show({ lines: 1, read: 500, total: undefined })
    expect(screen.written.join('')).not.toContain('[#')
    expect(screen.written.join('')).toContain('1 lines')
  })

  test('is nothing where there is no terminal', () => {
    const screen = terminal(false)
    const bar = createProgressBar(screen, 0)
    bar.show({ lines: 1, read: 500, total: 1000 })
    bar.clear()
    expect(screen.written).toEqual([])
  })
})
