/** Method, target and authority of the last request on a connection: the next one mostly repeats them. */
import { LastText } from '../codec/bytes.ts'

export class HeadTexts {
  readonly method = new LastText()
  readonly target = new LastText()
  readonly authority = new LastText()
}
