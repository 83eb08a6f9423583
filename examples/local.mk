# SPDX-License-Identifier: MIT
# Programs to start from, made by plain `make`: NAME is NAME.c here.

noinst_PROGRAMS += \
	%D%/event \
	%D%/gather \
	%D%/producer_consumer \
	%D%/queue \
	%D%/run \
	%D%/wait

examples_producer_consumer_SOURCES = \
	%D%/producer_consumer.c \
	%D%/producer.c \
	%D%/consumer.c \
	%D%/producer_consumer.h
