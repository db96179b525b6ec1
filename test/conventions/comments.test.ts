import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const files = globSync('**/*.{ts,js}', {
  exclude: ['**/node_modules/**', '.cache/**', '.gatehouse/**', 'k6/reports/**'],
})

const isComment = /^\s*(?:\/\/|\/\*\*?|\*)/
const opening = /(?:^|[.!?] )((?:What|Who|Whoever|Whatever|Whose|Somebody) [^.]{0,60})/g

/** Each run of comment lines as one text, with the number of its first line. */
function commentsOf(text: string): { line: number; comment: string }[] {
  const found: { line: number; comment: string }[] = []
  let isOpen = false
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.replace(/^\s*(?:\/\/|\/\*\*?|\*\/|\*)\s?|\s*\*\/\s*$/g, '').trim()
    const last = found.at(-1)
    if (!isComment.test(line)) isOpen = false
    else if (isOpen && last && !line.trimStart().startsWith('/*')) last.comment += ` ${words}`
    else {
      found.push({ line: index + 1, comment: words })
      isOpen = true
    }
  }
  return found.map(({ line, comment }) => ({ line, comment: comment.trim() }))
}

test('no sentence of a comment begins with What, Who, Whoever, Whatever, Whose or Somebody: name the subject', () => {
  const comments = files.flatMap((path) =>
    commentsOf(readFileSync(path, 'utf8')).map((comment) => ({ path, ...comment })),
  )
  expect(comments.length).toBeGreaterThan(3000)
  const unnamed = comments.flatMap(({ path, line, comment }) =>
    [...comment.matchAll(opening)].map(([, words]) => `${path}:${line} ${words}`),
  )
  expect(unnamed).toEqual([])
})
