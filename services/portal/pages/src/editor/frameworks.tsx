import type { JSX } from 'preact';
import { Message } from '../ui';

export default function Page(): JSX.Element {
  return <Message title="loading" />;
}
