// A component that is drawn again only when one of its properties is another object or value.
import { Component, type ComponentType, type FunctionComponent, h } from "preact";

export function memo<Props extends object>(part: FunctionComponent<Props>): ComponentType<Props> {
  return class Memo extends Component<Props> {
    override shouldComponentUpdate(next: Props): boolean {
      const names = Object.keys(next) as (keyof Props)[];
      return names.length !== Object.keys(this.props).length || names.some((name) => next[name] !== this.props[name]);
    }
    override render() {
      return h(part, this.props);
    }
  };
}
