// What was refused in passing, shown for a while over the page.
import { remark } from "../groups/menu";

export function Remark() {
  return (
    <div class="remark" role="status">
      {remark.value && <p>{remark.value}</p>}
    </div>
  );
}
