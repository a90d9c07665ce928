"""Gifts: stars that nobody paid for. Daily ones, promo codes, and rewards for bringing a friend."""
