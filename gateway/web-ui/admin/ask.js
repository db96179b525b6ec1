import { byId } from '../dom.js'

/**
 * Asks for confirmation before an action that affects others.
 *
 * @param {object} question
 * @param {string} question.title
 * @param {string} question.text what will happen
 * @param {string} question.yes the word on the button
 * @param {boolean} [question.withReason]
 * @returns {Promise<{ reason: string } | undefined>} undefined if the answer is no
 */
export function ask({ title, text, yes, withReason = false }) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('question'))
  const field = byId('question-field')
  const input = field.querySelector('input')
  byId('question-title').textContent = title
  byId('question-text').textContent = text
  byId('question-yes').textContent = yes
  field.hidden = !withReason
  if (input) input.value = ''
  dialog.returnValue = 'no'
  dialog.showModal()
  // Enter in the reason takes the form's first button, which is the harmless one: the reason's own
  // answer is yes.
  input?.addEventListener('keydown', enterMeansYes)
  return new Promise((resolve) => {
    dialog.addEventListener(
      'close',
      () => {
        input?.removeEventListener('keydown', enterMeansYes)
        resolve(dialog.returnValue === 'yes' ? { reason: input?.value.trim() ?? '' } : undefined)
      },
      { once: true },
    )
  })
}

/** @param {KeyboardEvent} event */
function enterMeansYes(event) {
  if (event.key !== 'Enter') return
  event.preventDefault()
  byId('question-yes').click()
}
