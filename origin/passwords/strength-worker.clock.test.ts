import { Piscina } from 'piscina'
import { afterAll, expect, test } from 'vitest'

/** Heap limit of the thread, in MB: 80 are in use, the rest is for garbage. */
const heapMb = 192

const pool = new Piscina({
  filename: new URL('./strength-worker.ts', import.meta.url).href,
  maxThreads: 1,
  resourceLimits: { maxOldGenerationSizeMb: heapMb },
})
afterAll(() => pool.destroy())

const judge = (password: string) => pool.run({ password }, { name: 'whyWeak' })

test(`the word lists of twelve languages and a million passwords fit into ${heapMb} MB`, async () => {
  expect(await judge('correct horse battery')).toBeNull()
  expect(await judge('ichliebedich')).toMatchObject({ code: 'too_common' })
})

// Digits and signs for letters have many readings, and each is looked up.
test.each([
  ['mixed', '@$cbb$@l4c@5s3@t7c15l54e$a74to5s'],
  ['of signs alone', '4@8({[<3€6960!1|70$524@8({[<3€69'],
  ['of one sign', '$'.repeat(256)],
  ['of accents', `e${'\u0301'.repeat(1000)}`],
])(
  'a password made to take long is evaluated within 10 s, on a busy machine too: %s',
  async (_, password) => {
    await judge('correct horse battery')
    const startedAt = performance.now()
    await judge(password)
    expect(performance.now() - startedAt).toBeLessThan(10_000)
  },
)
