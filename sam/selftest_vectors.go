package sam

import "github.com/assent-sign/assent/internal/algo"

// Known answers of the self-tests. Keys and signatures of katSignatures and of
// the assertion were made with OpenSSL over "assent self-test"; the rest is from
// the standards that are named.

// katKeys are public keys, SubjectPublicKeyInfo in base64.
const (
	katP256 = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6s5yaTBZc4w1rOMAmGUGJ3aZd1CRbTb52B1VWHb9LU6Vbt/ygwrE5iL6nu1z3RR5MQ4P6Tyr9hBJ6NhX+ObypQ=="
	katP384 = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEOvjWVkgc/xnasFQ8rZKaUNScbocu7qPW/4VFrfB0OwTA8DGkO3WPf7U+Qx+iMwbLMNFmsZp4gEi4q7oQSL5SnWr42H1cU21roQSTpHAaJ7aJR53h+CN07VL6UiiRCO+F"
	katP521 = "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQB+CPJOdJ3lNEQmKjEY8KIA160vjECI5Rw+oDXmd7VbB/5Na1m8e+m/ymc8wEEFLI75XnSqcVwcq2doF5D+Og+cEUBj4/biF0WVRBuecwuVl/u+eLNsHdsbESZmHmjgZpU1DODGcp2iURgaf7tNhwf4ni/Qx5dbZRkuiCGZ7WTgEa5XF0="
	katRSA  = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqSZwN+y1uUYMhWMhLUVQ/0DOElM4Hrn7XTDbnFOKo4/a1GVdwne+bozXIlHDy1x0GyiYtmeGenoSy+8TfMAvcAo/QsDp+lprZOlMfths9LBPBw4wuGsyq3Ad6+NddtRRMRAfHShAiWd1L5KeeAzaJE3L4E7jdHZoew+OoYlQmeOp9kxvUrxvFqAi3WZWhVorxgFoyzh5FsAjrGTq1rHSGvKavZaeuJ8HX4JjSuIyBl6UwT4u9jamP7pLgvnMWh9UAL+OAnoYeJoPnsYNYXn7hw9l80OQyblGLNAFvNOf6D6B/+mQqJ/9mV0h4HTemL7XdP+FkUzqnSfd6HOjRcKDjQIDAQAB"
)

const katMessage = "assent self-test"

type katSignature struct {
	alg      algo.Algorithm
	key, sig string
}

// katSignatures has one signature for every algorithm of the closed set.
func katSignatures() []katSignature {
	return []katSignature{
		{algo.ES256, katP256, "MEUCIHU1p3e75Vhen8n4eMX1pVRj2N3QrRoaaSNveW9YBYB8AiEAuGWmlrqR/os9y3TajCV1Q8k7jzBuFGwtqho/e9jo44k="},
		{algo.ES384, katP384, "MGQCMBz/miO223KLxk6PfySpEVJ+oamTDpNEgQqcERClT7tuQK36HdJSyaXSJ8bzhOVJlgIwJLG9tBLNu7aoqdbv0Pg/LYX6Oz+oY2NFpE1dJEFJVH1yeS5V1T9yy/4zqSJ4x9LN"},
		{algo.ES512, katP521, "MIGHAkFzSQBTMt94FRJYngwjIoEtYt8UTiqn75cp2FNoXf6NlZYvXN9rsnGGGZIH6RYqwOMaorTyxo9vjPQrZMGVbUMV6gJCAYdz1d7jQ703blBUNChX5NQG+WybXho3c40n7TujXlYDogDEH+FsLim6/CFuaHdAr1ZyP8Ze6NmpLTlK+OOR7M0V"},
		{algo.RS256, katRSA, "XmWGSAZkX9t2stm6lc2qubbFM42qHdYlvYmwQC01knXDhjh7i62ssS8YLil3VeQEvwXTQuq8WM0k1/lCS1OBEBcZ4d0h1p64dbQpINhpdPkFF3Gfvn1uOVozdOYsru+k5nzymgwAL/AX1WmjJNq1x3/xEoVbVXCFfzFhMGoFsBr2uX4mtjy3GIo5J/bMheG5h0qK5j20MIPLWG7hkHs2WVNMJ2LgJ1vIKzkhqBUZW0rxwTqfDVj+jvaVGqDnBMlgQrMmBxt3FYOs/nRXWxlnYmIFHh5jw2skFfAfC9RaerCwyNI331OCJAMX3mhteLyQehOooz8dRfOX5brmM5hraw=="},
		{algo.RS384, katRSA, "Q5vsKjoafXrkxYfa5Y23bOM4HrpyS/sFe3IssC0o0NZAs87wI5sds552j5P1ls20qpUrj9qQSfdHU9+ND5gKcn3psEvhfqc59pT73ipnT/U/Rxp4txqyozOfyKtoeEDwhnjRuH6WDvaWwUkYvnMv+fXFuRj3746i8QSfme9/gcBlPF1d4ht6UN08qEwpzV+06UvZqngLPY8mUzYdeGHFN/kG+V7E25nxgYRSO9U3/bnwP5htAUgMRTtxL04TD0irdEF5KJsr7fcTs79oXxp3udqvwCIhEP+il8LR53w1yy1wLtpHNX39I0PVLh0nnoXJkWge6KumF0V3bVr3pKddsw=="},
		{algo.RS512, katRSA, "jAkKh+3tpnnesDFuJk6SwDRx2K++UseGa4WcpabWv7BgJT7sCaasRguDJGE54lSMbacrGdPM6DZeSZpBhIZPM/568yyDD1uz+v9NkO1tKm/QTLbVknBg5To4Dleixom9fyUeG5rqdvXejRRsXe6onW5yN/gEkdK44zjkJ5knlLy6cIi5hSshRMMGIKXFxAFmN2HVZfKgXVZRtT0o+t6v8N1ohSOElGwLrqJ9DvsOyitozfkIvweGxR2/OhBP4A0lvsPlC2pmZcVdTzZosVrv6TcorWPBM6H/8ICrzo3Bq3bksUn2C36Eqiie+fvv8PAnXrusb6mz2fCJ4q6bUz+NTQ=="},
		{algo.PS256, katRSA, "PO1sCM1DwI5hgaq1+J1EhowAalavHFzf+u/aNPYOg9V9yZaOVOGaO/oJdywMRuCrWJ6v6riheIIF+jrV3yOM+A0yfMGHH3er2sTA15nA3/gjaIX88jC1CrC/9RyZ77PYiz/ITVuCK3TK4o3/d9rqCMooPhCTFa7sAok3hdeAi7u4RtIlP59Jk3p9CmZobLPOqG4TJS2z6MvsLH+EtZUAN2jK+pvZpR/Jeebnq8BlQerXv+8r3z29xHTNJ9/6/FCFt43hH1SDw7YLjvdyIVwKBXEPbRaimR+qxTTNbMtZ0h3SoqV1Zy4BthIf9kmSmw+mUoBPklIw13o+bhEnSMWT/g=="},
		{algo.PS384, katRSA, "AYGwp4I7I0WTPxF3Ue5AsR0+cAqmc0nmoQsRV+KTGpnsOZ/ePecNfjs82Bk4bfIQWCBU0SUzfwKKZWdILW4owXgw++4c00vQISWA/kStB/IzoGTpbPixCumr97iP+YFEM8EjQTeNXozDMcmfSAseVxt0srigly0D+IV60UHAPz1yNcsFu0F6nsIBWqR/D9LXepab53NpwcafROrI4c2WP60OLEp0+LPPzVSR4ODsh081GV5mRhyKawavuNzgi0Z75oejoYAM/ObgHjuYAcUdZdMg1A7OkKB7DtSwug1XYYu4Elf/jMjRrWT3IrZZLLQwc2aHTY/zO6ahHTwjJ0jnew=="},
		{algo.PS512, katRSA, "g0iX8Qgzna8qf8FZO32L5Rd4dY6yKpomUHRVgmdytUu8zohz1HHp3uOrOgS+Rd38jpEoZuKP/YTChnzs3wzbZ4+XVuFPal1sZ6jQhDbQ4/ZYIjUrDBnV/L5c+x1OdY3KDussAKJS33+5d7/YTzhVcW1lJLZLMRkSuAwbM4YsyBH/SOlPnnFZz5ERYaaoIf/rKdhrwidcDTSgMcOFZVeW81tf6TCdSivGl/iA+DDlN1q72fQCjokJhnvgFZgyFa7imhGvzJY2JtHlSvYgBCwzvsZsXxA/5FwzdJNm2azWjhzvIcHQGAhtjbsNT84a3QkSPbsLd/IHG/1cF25ulOWaRg=="},
	}
}

// katECDSA are the keys and signatures of RFC 6979, A.2.5 to A.2.7, message
// "sample", each with the digest that belongs to the curve.
func katECDSA() []struct {
	alg     algo.Algorithm
	d, r, s string
} {
	return []struct {
		alg     algo.Algorithm
		d, r, s string
	}{
		{algo.ES256, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
			"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
			"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
		{algo.ES384, "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5",
			"94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46",
			"99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8"},
		{algo.ES512, "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75caa896eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b83538",
			"00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f174e25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e377fa",
			"00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a"},
	}
}

// The assertion of the WebAuthn test, made for the challenge SHA-256("assent
// self-test challenge") with the key katP256 at https://sign.example.
const (
	katClientData = "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiZDZFMXdYbUNRaHd2d1p2cG9RUDFHXzZNcVhRU2lkU0hHMmp4eldKZFEtRSIsIm9yaWdpbiI6Imh0dHBzOi8vc2lnbi5leGFtcGxlIiwiY3Jvc3NPcmlnaW4iOmZhbHNlfQ"
	katAuthData   = "csaEKpgvLhmhG0eQAoEA3qsNhs0FIJmcR0TyiA5L9gsFAAAABw"
	katAssertion  = "MEUCIFpR3S9sSlf2Jvzj7fAbfa-yXw_WWy174ua9__FHHaSjAiEAqDzNFsylpi-LW7ZkYoXu45cvrtxYXHDT1lzVTBis3Rc"
	// katReceiptRoot is the root over the receipts "a", "b" and "c".
	katReceiptRoot = "ea9ed5c3f81d9c0e87f268eeb9616acf16cec29711c280e969b16fe5982703f0"
)
