//! One timer for all connections of a shard: a wheel of seconds. A connection stands in it once and says, when its turn
//! comes, when it wants to be looked at next; ten thousand idle connections cost a few hundred looks per second.

/// Slots of the wheel, seconds. A longer wait is cut to this and looked at early, which does no harm.
const HORIZON_S: usize = 256;

/// A wheel of seconds. Keys that ended meanwhile are still handed out; their owner drops them.
#[derive(Debug)]
pub struct Wheel<K> {
    slots: Vec<Vec<K>>,
    now: usize,
}

impl<K> Wheel<K> {
    /// An empty wheel.
    pub fn new() -> Self {
        Self { slots: (0..HORIZON_S).map(|_| Vec::new()).collect(), now: 0 }
    }

    /// Has `key` handed out in `seconds`, at least 1.
    pub fn schedule(&mut self, key: K, seconds: u64) {
        let ahead = seconds.clamp(1, HORIZON_S as u64 - 1) as usize;
        self.slots[(self.now + ahead) % HORIZON_S].push(key);
    }

    /// A second went by: the keys whose turn it is.
    pub fn tick(&mut self) -> Vec<K> {
        self.now = (self.now + 1) % HORIZON_S;
        std::mem::take(&mut self.slots[self.now])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_when_asked_for() {
        let mut wheel = Wheel::new();
        for (key, seconds) in [("now", 0), ("soon", 1), ("later", 200), ("far", 9_999)] {
            wheel.schedule(key, seconds);
        }
        let mut seen = Vec::new();
        for second in 1..=HORIZON_S {
            seen.extend(wheel.tick().into_iter().map(|key| (second, key)));
        }
        assert_eq!(seen, [(1, "now"), (1, "soon"), (200, "later"), (255, "far")]);
    }
}
